// One node: its probers, the findings that name it, its failing paths and its peers.
import { html } from "../vendor/ui.js";
import { matrixOf, worse } from "./cells.js";
import { Card } from "./findings.js";
import { useResource } from "./load.js";
import { brief, LOOKS, told } from "./letters.js";
import { Name, NodeLink, Waiting } from "./parts.js";
import { PathTable } from "./path-table.js";
import { Rollups } from "./rollups.js";
import { link, query } from "./route.js";
import { counted, duration, shown } from "./words.js";

/** @typedef {import("./types.js").Columns} Columns */
/** @typedef {import("./types.js").NodeDetail} NodeDetail */
/** @typedef {import("./types.js").Prober} Prober */

/** @param {{ name: string }} props */
export function NodeView({ name }) {
  const resource = /** @type {import("./load.js").Resource<NodeDetail>} */ (useResource(`nodes/${encodeURIComponent(name)}`));
  const detail = resource.data.value;
  document.title = `${shown(name)} · Smoker`;
  return html`
    <h1 tabindex="-1" class="title"><${Name} name=${name} /></h1>
    ${!detail || resource.error.value ? html`<${Waiting} error=${resource.error.value} />` : html`
      <p class="soft facts">${detail.zone ? html`zone <${Name} name=${detail.zone} />` : "no zone"} · ${counted(detail.paths_from, "path")} out · ${counted(detail.paths_to, "path")} in</p>
      <${Probers} probers=${detail.probers} />
      ${detail.findings.length > 0 && html`<section aria-labelledby="named"><h2 id="named">Findings that name this node</h2>
        ${detail.findings.map((each) => html`<${Card} key=${each.id} found=${each} />`)}</section>`}
      <${Rollups} key=${name} name=${name} />
      <div class="halves">
        <${Peers} name=${name} direction="from" title="To its peers" />
        <${Peers} name=${name} direction="to" title="From its peers" />
      </div>
      ${detail.failing.length > 0 && html`<section aria-labelledby="failing"><h2 id="failing">Failing paths</h2>
        <${PathTable} paths=${detail.failing} when=${resource.when.value} caption="Failing paths from and to the node" />
        ${detail.left_out > 0 && html`<p class="soft">${counted(detail.left_out, "more failing path")} are not listed.</p>`}
      </section>`}`}`;
}

/** Return why a cell is not well, in a few words. @param {import("./cells.js").Cell} cell */
const short = (cell) => (cell.failed ? `${cell.failed} of ${cell.attempts} failed` : cell.loss ? `${brief(cell)} lost` : LOOKS[cell.state].word);

/** @param {{ probers: Prober[] }} props */
const Probers = ({ probers }) => html`
  <table class="plain narrow"><caption class="visually-hidden">Its probers</caption>
    <thead><tr><th scope="col">Prober</th><th scope="col">State</th><th scope="col" class="number">Paths</th><th scope="col" class="number">Failing</th></tr></thead>
    <tbody>${probers.map((each) => html`
      <tr><th scope="row">${each.network === "host" ? "node network" : "pod network"}</th>
        <td>${each.state === "silent"
          ? html`<span class="bad">silent for ${duration(each.silent_seconds)}</span>${each.error && html`<br /><span class="soft">${shown(each.error)}</span>`}`
          : "answers"}</td>
        <td class="number">${each.paths}</td><td class=${each.failing ? "number bad" : "number"}>${each.failing}</td></tr>`)}</tbody>
  </table>`;

/**
 * The peers in one direction, the worst first.
 * @param {{ name: string, direction: "from" | "to", title: string }} props
 */
function Peers({ name, direction, title }) {
  const { plane, family, probe } = query.value;
  const resource = /** @type {import("./load.js").Resource<Columns>} */ (useResource("matrix", { [direction]: name, plane, family, probe }));
  const columns = resource.data.value;
  if (!columns) return html`<section><h2>${title}</h2><${Waiting} error=${resource.error.value} /></section>`;
  const matrix = matrixOf(columns);
  const cells = [...matrix.cells].sort(worse);
  return html`
    <section><h2>${title}</h2>
      ${!cells.length && html`<p class="soft">Not probed.</p>`}
      <ul class="peers">${cells.map((cell) => {
        const [from, to] = [matrix.names[cell.from], matrix.names[cell.to]];
        const said = LOOKS[cell.state].name === "ok" && cell.rtt ? `${brief(cell)} ms` : short(cell);
        return html`
          <li key=${`${from} ${to}`}>
            <span class=${`chip ${LOOKS[cell.state].name}`} aria-hidden="true">${LOOKS[cell.state].sign}</span>
            <span class="peer"><${NodeLink} name=${direction === "from" ? to : from} /></span>
            <a class="soft" href=${link({ view: "path", from, to })} title=${`${shown(from)} to ${shown(to)}: ${told(cell)}`}><span class="visually-hidden">${shown(from)} to ${shown(to)}: </span>${said}</a>
          </li>`;
      })}</ul>
    </section>`;
}
