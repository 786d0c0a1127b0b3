// The cells of the matrix as a list, the worst first: the content of the map in words.
import { html, useMemo, useState } from "../vendor/ui.js";
import { worse } from "./cells.js";
import { brief, LOOKS, told } from "./letters.js";
import { Name } from "./parts.js";
import { link } from "./route.js";
import { counted } from "./words.js";

const FIRST = 50; // cells that the list shows at first

/** @param {{ matrix: import("./cells.js").Matrix }} props */
export function List({ matrix }) {
  const [most, setMost] = useState(FIRST);
  const sorted = useMemo(() => [...matrix.cells].sort(worse), [matrix]);
  const bad = sorted.filter((cell) => "fpl".includes(cell.state)).length;
  return html`
    <div class="list">
      <h3>${bad ? `${counted(bad, "cell")} with faults, the worst first` : "No cell has a fault"}</h3>
      <ol>${sorted.slice(0, most).map((cell) => html`
        <li key=${`${cell.from} ${cell.to}`}>
          <a href=${link({ view: "path", from: matrix.names[cell.from], to: matrix.names[cell.to] })}><${Name} name=${matrix.names[cell.from]} /> → <${Name} name=${matrix.names[cell.to]} /></a>
          <span class=${`state ${LOOKS[cell.state].name}`} title=${told(cell)}>${brief(cell)}</span>
        </li>`)}</ol>
      ${sorted.length > most && html`<button type="button" onClick=${() => setMost(most + 4 * FIRST)}>Show ${Math.min(4 * FIRST, sorted.length - most)} more of ${sorted.length.toLocaleString("en")}</button>`}
    </div>`;
}
