// The matrix of zones, which shows first whether a part of the cluster is cut off.
import { html } from "../vendor/ui.js";
import { matrixOf } from "./cells.js";
import { brief, LOOKS, told } from "./letters.js";
import { useResource } from "./load.js";
import { here, query } from "./route.js";
import { shown } from "./words.js";

/** @typedef {import("./types.js").Columns} Columns */

export function Zones() {
  const { plane, family, probe } = query.value;
  const resource = /** @type {import("./load.js").Resource<Columns>} */ (useResource("matrix", { by: "zone", plane, family, probe }));
  if (!resource.data.value || resource.data.value.names.length < 2) return null;
  const matrix = matrixOf(resource.data.value);
  return html`
    <section aria-labelledby="zones"><h2 id="zones">Zones</h2>
      <p class="soft hint">From each row to each column: failed attempts of all, packets lost, or the largest median RTT in ms.</p>
      <div class="wide"><table class="cells roomy">
        <thead><tr><td></td>${matrix.names.map((name) => html`<th scope="col">${label(name)}</th>`)}</tr></thead>
        <tbody>${matrix.rows.map((row, from) => html`
          <tr><th scope="row">${label(matrix.names[from])}</th>
            ${matrix.names.map((name, to) => {
              const cell = row.get(to);
              const text = `${label(matrix.names[from])} to ${label(name)}: ${told(cell)}`;
              return html`<td class=${LOOKS[cell?.state ?? "-"].name}>${cell
                ? html`<a href=${here({ zone: matrix.names[from] })} title=${text}><span class="visually-hidden">${text}, </span>${brief(cell)}</a>`
                : html`<span title=${text}><span class="visually-hidden">not probed</span></span>`}</td>`;
            })}
          </tr>`)}</tbody>
      </table></div>
    </section>`;
}

/** @param {string} zone */
const label = (zone) => (zone ? shown(zone) : "(no zone)");
