// One finding: its card, the graph of the paths that it affects, and those paths as a table.
import { html } from "../vendor/ui.js";
import { Card } from "./findings.js";
import { Graph } from "./graph.js";
import { useResource } from "./load.js";
import { NodeLink, Waiting } from "./parts.js";
import { link } from "./route.js";
import { clock, counted, duration, family, outcome, plane, shown } from "./words.js";

/** @typedef {import("./types.js").Finding} Finding */
/** @typedef {import("./types.js").Seen} Seen */

/** @param {{ id: string }} props */
export function FindingView({ id }) {
  const resource = /** @type {import("./load.js").Resource<Finding>} */ (useResource(`findings/${encodeURIComponent(id)}`, {}, { timeless: true }));
  const found = resource.data.value;
  if (!found || resource.error.value) return html`<h1 tabindex="-1" class="title">Finding</h1><${Waiting} error=${resource.error.value} />`;
  const { failing, working } = found.finding;
  document.title = `${shown(found.place)} · Smoker`;
  return html`
    <h1 tabindex="-1" class="title"><bdi>${shown(found.place)}</bdi>: ${shown(found.what)}</h1>
    <${Card} found=${found} bare />
    <${Life} found=${found} />
    <${Graph} found=${found} />
    ${failing.length + working.length > 0 && html`
      <section aria-labelledby="paths"><h2 id="paths">Paths of the evidence</h2>
        <div class="wide"><table class="plain"><caption class="visually-hidden">Paths that are evidence for the finding</caption>
          <thead><tr><th scope="col">From</th><th scope="col">To</th><th scope="col">Path</th><th scope="col">Family</th><th scope="col">Probe</th><th scope="col">Result</th></tr></thead>
          <tbody>${[...failing, ...working].map((seen) => html`<${Row} seen=${seen} />`)}</tbody>
        </table></div>
      </section>`}`;
}

/** When it was first and last seen, opened and closed, and how often it became worse. @param {{ found: Finding }} props */
const Life = ({ found }) => html`
  <ol class="life-line" aria-label="Its life">
    <li><span class="soft">first seen</span> ${clock(found.first_seen)}</li>
    ${found.opened !== null && html`<li><span class="soft">opened</span> ${clock(found.opened)} <span class="soft">after ${duration(found.opened - found.first_seen)}</span></li>`}
    ${found.escalations > 0 && html`<li><span class="soft">became worse</span> ${counted(found.escalations, "time")}</li>`}
    ${found.closed !== null
      ? html`<li><span class="soft">closed</span> ${clock(found.closed)} <span class="soft">after ${duration(found.closed - found.first_seen)}</span></li>`
      : html`<li><span class="soft">last seen</span> ${clock(found.last_seen)}</li>`}
  </ol>`;

/** @param {{ seen: Seen }} props */
const Row = ({ seen }) => html`
  <tr><td><${NodeLink} name=${seen.source} /></td><td><${NodeLink} name=${seen.target} /></td>
    <td><a href=${link({ view: "path", from: seen.source, to: seen.target })} aria-label=${`${shown(seen.source)} to ${shown(seen.target)}, ${plane(seen.plane)}`}>${plane(seen.plane)}</a></td>
    <td>${family(seen.family) || "–"}</td><td>${seen.probe ? seen.probe.toUpperCase() : "all"}</td>
    <td><span class=${`state ${seen.outcome === "success" ? "ok" : "fail"}`}><span aria-hidden="true">${seen.outcome === "success" ? "✓" : "✕"}</span> ${outcome(seen.outcome)}</span></td></tr>`;
