// One strip per node, the worst first: the paths from it and to it. For sampled peers and for large clusters.
import { html, useMemo, useState } from "../vendor/ui.js";
import { stripsOf } from "./cells.js";
import { LOOKS, told } from "./letters.js";
import { NodeLink } from "./parts.js";
import { arrows, rove } from "./roving.js";
import { link } from "./route.js";
import { shown } from "./words.js";

/** @typedef {import("./cells.js").Matrix} Matrix */
/** @typedef {import("./cells.js").Cell} Cell */

const FIRST = 50; // nodes that the table shows at first
const MOST = 24; // cells in one direction; further peers are only counted

/** @param {{ matrix: Matrix }} props */
export function Strips({ matrix }) {
  const [most, setMost] = useState(FIRST);
  const strips = useMemo(() => stripsOf(matrix), [matrix]);
  return html`
    <p class="soft hint">Each node with the peers that it probes and that probe it, the worst first. Pairs that are not probed are not shown. Arrow keys move from cell to cell.</p>
    <div class="wide"><table class="strips" onKeyDown=${arrows} onFocusIn=${rove}>
      <thead><tr><th scope="col">Node</th><th scope="col">Zone</th><th scope="col">Failing</th><th scope="col">To its peers</th><th scope="col">From its peers</th></tr></thead>
      <tbody>${strips.slice(0, most).map((strip) => html`
        <tr key=${matrix.names[strip.node]}>
          <th scope="row"><${NodeLink} name=${matrix.names[strip.node]} /></th>
          <td class="soft">${shown(matrix.zones[strip.node]) || "–"}</td>
          <td class=${strip.bad ? "bad" : "soft"}>${strip.bad ? `${strip.bad} of ${strip.out.length + strip.into.length}` : "none"}</td>
          <td><${Line} matrix=${matrix} cells=${strip.out} /></td>
          <td><${Line} matrix=${matrix} cells=${strip.into} /></td>
        </tr>`)}</tbody>
    </table></div>
    ${strips.length > most && html`<p><button type="button" onClick=${() => setMost(most + 4 * FIRST)}>Show ${Math.min(4 * FIRST, strips.length - most)} more of ${strips.length.toLocaleString("en")} nodes</button></p>`}`;
}

/** The cells of one direction. @param {{ matrix: Matrix, cells: Cell[] }} props */
function Line({ matrix, cells }) {
  if (!cells.length) return html`<span class="soft">${matrix.zone || matrix.leftOut ? "none listed" : "not probed"}</span>`;
  return html`
    <span class="strip">${cells.slice(0, MOST).map((cell) => {
      const text = `${shown(matrix.names[cell.from])} to ${shown(matrix.names[cell.to])}: ${told(cell)}`;
      const { name, sign } = LOOKS[cell.state];
      return html`<a tabindex="-1" class=${name} href=${link({ view: "path", from: matrix.names[cell.from], to: matrix.names[cell.to] })} title=${text}><span class="visually-hidden">${text}, </span>${sign}</a>`;
    })}${cells.length > MOST && html`<span class="soft more">+${cells.length - MOST}</span>`}</span>`;
}
