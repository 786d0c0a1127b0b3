// What happened when.
import { html } from "../vendor/ui.js";
import { useResource } from "./load.js";
import { Waiting } from "./parts.js";
import { link } from "./route.js";
import { clock, duration, shown } from "./words.js";

/** @typedef {import("./types.js").Finding} Finding */
/** @typedef {import("./types.js").Findings} Findings */
/** @typedef {{ at: number, kind: "open" | "close", found: Finding }} Happening */

export function Events() {
  const resource = /** @type {import("./load.js").Resource<Findings>} */ (useResource("findings"));
  const told = resource.data.value;
  document.title = "Events · Smoker";
  const happenings = told ? [...told.open, ...told.recent].flatMap(both).sort((one, two) => two.at - one.at) : [];
  return html`
    <h1 tabindex="-1" class="title">Events</h1>
    ${!told ? html`<${Waiting} error=${resource.error.value} />` : !happenings.length ? html`<p class="soft">Nothing has happened since the hub started.</p>` : html`
      <ol class="events">${happenings.map(({ at, kind, found }) => html`
        <li key=${`${found.id} ${kind} ${at}`} class=${kind === "open" ? found.finding.severity : "closed"}>
          <time datetime=${new Date(at * 1000).toISOString()}>${clock(at)}</time>
          <span class="badge">${kind === "open" ? "opened" : "closed"}</span>
          <a href=${link({ view: "finding", id: found.id })}><bdi>${shown(found.place)}</bdi>: ${shown(found.what)}</a>
          ${kind === "close" && html`<span class="soft">after ${duration(at - found.first_seen)}</span>`}
        </li>`)}</ol>`}`;
}

/** @param {Finding} found @returns {Happening[]} */
const both = (found) => [
  ...(found.closed === null ? [] : [{ at: found.closed, kind: /** @type {const} */ ("close"), found }]),
  ...(found.opened === null ? [] : [{ at: found.opened, kind: /** @type {const} */ ("open"), found }]),
];
