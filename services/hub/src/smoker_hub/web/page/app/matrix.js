// The matrix of nodes with its filters, in the form that suits its size.
import { html, useMemo } from "../vendor/ui.js";
import { Canvas } from "./canvas.js";
import { matrixOf, ofZone } from "./cells.js";
import { LOOKS } from "./letters.js";
import { List } from "./list.js";
import { useResource } from "./load.js";
import { Waiting } from "./parts.js";
import { go, here, query } from "./route.js";
import { Strips } from "./strips.js";
import { Table } from "./table.js";
import { counted, family, plane, shown } from "./words.js";

/** @typedef {import("./types.js").Columns} Columns */
/** @typedef {import("./cells.js").Matrix} Cells */

const TABLE = 100; // nodes up to which the matrix is a table
const MAP = 1_000; // nodes up to which it is drawn

const FILTERS = {
  plane: ["pod", "host", "pod-host", "host-pod"],
  family: ["ipv4", "ipv6"],
  probe: ["tcp", "udp", "http"],
};
const NAMES = /** @type {const} */ ({ plane: ["Path", plane], family: ["Family", family], probe: ["Probe", (/** @type {string} */ name) => name.toUpperCase()] });
const FORMS = { table: "Table", map: "Map", strips: "Strips" };

export function Matrix() {
  const { plane, family, probe, zone = "" } = query.value;
  const resource = /** @type {import("./load.js").Resource<Columns>} */ (useResource("matrix", { plane, family, probe }));
  const columns = resource.data.value;
  const matrix = useMemo(() => (columns ? ofZone(matrixOf(columns), zone) : null), [columns, zone]);
  return html`
    <section aria-labelledby="nodes"><h2 id="nodes">Nodes</h2>
      <${Filters} zones=${columns?.zone_names ?? []} matrix=${matrix} />
      ${matrix ? html`<${Form} matrix=${matrix} />` : html`<${Waiting} error=${resource.error.value} />`}
    </section>`;
}

/** @param {{ matrix: Cells }} props */
function Form({ matrix }) {
  if (!matrix.cells.length) return html`<p class="note">No path between nodes to show: a single node has no peers, or the filters exclude all paths.</p>`;
  const form = formOf(matrix);
  return html`
    ${matrix.leftOut > 0 && html`<p class="note">${counted(matrix.leftOut, "more cell")} are not shown; the rows with the worst cells are.</p>`}
    ${form === "table" && html`<${Table} matrix=${matrix} />`}
    ${form === "map" && html`<div class="beside"><${Canvas} matrix=${matrix} /><${List} matrix=${matrix} /></div>`}
    ${form === "strips" && html`<${Strips} matrix=${matrix} />`}
    <${Legend} />`;
}

/** @param {Cells} matrix */
function formOf(matrix) {
  const count = matrix.names.length;
  const wanted = query.value.show ?? (matrix.sampled ? "strips" : count <= TABLE ? "table" : "map");
  if (wanted === "table" && count > TABLE) return "map";
  return (wanted === "map" && count > MAP) || !(wanted in FORMS) ? "strips" : wanted;
}

/** @param {{ zones: string[], matrix: Cells | null }} props */
function Filters({ zones, matrix }) {
  const form = matrix ? formOf(matrix) : "";
  return html`
    <div class="filters">
      ${/** @type {(keyof typeof FILTERS)[]} */ (Object.keys(FILTERS)).map((name) => html`
        <${Choice} name=${name} title=${NAMES[name][0]} values=${FILTERS[name]} word=${NAMES[name][1]} />`)}
      ${zones.length > 1 && html`<${Choice} name="zone" title="Zone" values=${zones.filter(Boolean)} word=${shown} />`}
      ${matrix && matrix.cells.length > 0 && html`
        <div class="forms" role="group" aria-label="How the nodes are shown">
          ${Object.entries(FORMS).filter(([key]) => possible(key, matrix.names.length)).map(([key, title]) => html`
            <a href=${here({ show: key })} aria-current=${form === key ? "true" : undefined}>${title}</a>`)}
        </div>`}
    </div>`;
}

/** @param {string} form @param {number} count */
const possible = (form, count) => form === "strips" || count <= (form === "table" ? TABLE : MAP);

/** @param {{ name: string, title: string, values: string[], word: (value: string) => string }} props */
function Choice({ name, title, values, word }) {
  const chosen = query.value[name] ?? "";
  /** @param {Event} event */
  const change = (event) => go(here({ [name]: /** @type {HTMLSelectElement} */ (event.target).value }));
  return html`
    <label>${title}
      <select name=${name} value=${chosen} onChange=${change}>
        <option value="">all</option>
        ${values.map((value) => html`<option value=${value} selected=${value === chosen}>${word(value)}</option>`)}
      </select>
    </label>`;
}

/** The meaning of the signs. */
const Legend = () => html`
  <ul class="legend" aria-label="Legend">
    ${Object.values(LOOKS).map(({ name, word, sign }) => html`<li><span class=${`swatch ${name}`} aria-hidden="true">${sign}</span>${word}</li>`)}
  </ul>`;
