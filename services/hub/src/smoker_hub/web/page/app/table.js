// The matrix as an HTML table: headers, a link and text in each cell. Arrow keys move from cell to cell.
import { html } from "../vendor/ui.js";
import { absent } from "./cells.js";
import { brief, LOOKS, told } from "./letters.js";
import { link } from "./route.js";
import { arrows, rove } from "./roving.js";
import { shortened, shown } from "./words.js";

/** @typedef {import("./cells.js").Matrix} Matrix */

const ROOMY = 8; // number of nodes up to which headers are horizontal
const TIGHT = 30; // number of nodes from which cells are small

/** @param {{ matrix: Matrix }} props */
export function Table({ matrix }) {
  const count = matrix.names.length;
  const names = shortened(matrix.names);
  const size = count <= ROOMY ? "roomy" : count < TIGHT ? "close" : "tight";
  return html`
    <p class="soft hint">From each row to each column: the median RTT in ms, or what is wrong. Arrow keys move from cell to cell.</p>
    <div class="wide"><table class=${`cells ${size}`} onKeyDown=${arrows} onFocusIn=${rove}>
      <caption class="visually-hidden">Which node reaches which</caption>
      <thead><tr><td></td>${names.map((name, place) => html`
        <th scope="col" title=${shown(matrix.names[place])}><a tabindex="-1" href=${link({ view: "node", name: matrix.names[place] })}><bdi>${name}</bdi></a></th>`)}</tr></thead>
      <tbody>${names.map((name, from) => html`<${Row} key=${matrix.names[from]} matrix=${matrix} from=${from} name=${name} />`)}</tbody>
    </table></div>`;
}

/** @param {{ matrix: Matrix, from: number, name: string }} props */
function Row({ matrix, from, name }) {
  const row = matrix.rows[from];
  return html`
    <tr><th scope="row" title=${shown(matrix.names[from])}><a href=${link({ view: "node", name: matrix.names[from] })}><bdi>${name}</bdi></a></th>
      ${matrix.names.map((to, column) => {
        const cell = row.get(column);
        if (from === column && !cell) return html`<td class="self" aria-label="itself"></td>`;
        const why = cell ? told(cell) : absent(matrix, from, column);
        const text = `${shown(matrix.names[from])} to ${shown(to)}: ${why}`;
        if (!cell) return html`<td class="none" title=${text}><span class="visually-hidden">${why}</span></td>`;
        return html`<td class=${LOOKS[cell.state].name}>
          <a tabindex="-1" href=${link({ view: "path", from: matrix.names[from], to })} title=${text}><span class="visually-hidden">${text}, </span>${brief(cell)}</a></td>`;
      })}
    </tr>`;
}
