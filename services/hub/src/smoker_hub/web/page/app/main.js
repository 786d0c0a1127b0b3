// The page: the bar, the view that the address names, and the announcements for screen readers.
import { html, render } from "../vendor/ui.js";
import { Bar, Connection } from "./bar.js";
import { Events } from "./events.js";
import { FindingView } from "./finding.js";
import { start } from "./live.js";
import { NodeView } from "./node.js";
import { Overview } from "./overview.js";
import { PathView } from "./path.js";
import { follow, query, view } from "./route.js";
import { TimeMachine } from "./time.js";
import { Announcer } from "./announce.js";

/** @type {Record<string, () => any>} */
const VIEWS = {
  node: () => html`<${NodeView} key=${query.value.name} name=${query.value.name ?? ""} />`,
  path: () => html`<${PathView} key=${`${query.value.from} ${query.value.to}`} from=${query.value.from ?? ""} to=${query.value.to ?? ""} id=${query.value.id ?? ""} />`,
  finding: () => html`<${FindingView} key=${query.value.id} id=${query.value.id ?? ""} />`,
  events: () => html`<${Events} />`,
};

const Shown = () => (VIEWS[view.value] ?? (() => html`<${Overview} />`))();

const App = () => html`
  <a class="skip" href="#main">Skip to the content</a>
  <${Bar} />
  <${Connection} />
  <main id="main"><${Shown} /></main>
  <${TimeMachine} />
  <${Announcer} />`;

const root = document.getElementById("app");
if (root) {
  follow();
  start();
  root.replaceChildren();
  render(html`<${App} />`, root);
}
