// The history of one path: a band of its states, and the changes in words.
import { html } from "../vendor/ui.js";
import { useLast, useResource } from "./load.js";
import { LOOKS } from "./letters.js";
import { Waiting } from "./parts.js";
import { at, go, here } from "./route.js";
import { useSpan } from "./span.js";
import { clock, counted, duration, outcome } from "./words.js";

/** @typedef {import("./types.js").PathHistory} History */
/** @typedef {{ from: number, to: number, state: import("./types.js").Letter | "-", outcome: string }} Part */

const WIDTH = 1_000; // units of the band
const SHOWN = 30; // changes in words

/** @param {{ id: string }} props  It shows one path for all of its life: give it a key. */
export function PathHistory({ id }) {
  const resource = /** @type {import("./load.js").Resource<History>} */ (useResource(`paths/${encodeURIComponent(id)}/history`, useSpan(), { timeless: true }));
  const found = useLast(resource.data.value); // the list keeps the focus while another moment is read
  if (resource.error.value || !found) return html`<${Waiting} error=${resource.error.value} />`;
  const parts = partsOf(found);
  return html`
    ${!parts.length && html`<p class="soft">The history has no data for this path yet.</p>`}
    ${parts.length > 0 && html`<${Band} parts=${parts} history=${found} />`}
    <ol class="changes">${[...parts].reverse().slice(0, SHOWN).map((part) => html`
      <li key=${part.from}><a href=${here({ at: String(Math.ceil(part.from)) })} title="Show this moment">${clock(part.from)}</a>
        <span class=${`state ${LOOKS[part.state].name}`}><span aria-hidden="true">${LOOKS[part.state].sign}</span> ${part.state === "f" ? outcome(part.outcome) : LOOKS[part.state].word}</span>
        <span class="soft">for ${duration(part.to - part.from)}</span></li>`)}</ol>
    ${parts.length > SHOWN && html`<p class="soft">${counted(parts.length - SHOWN, "earlier change")} ${parts.length - SHOWN === 1 ? "is" : "are"} shown only in the band.</p>`}`;
}

/** @param {History} history @returns {Part[]} */
const partsOf = (history) => history.changes.map((change, place) => ({
  from: change.at, to: history.changes[place + 1]?.at ?? history.until, state: change.state || "-", outcome: change.outcome,
}));

/** @param {{ parts: Part[], history: History }} props */
function Band({ parts, history }) {
  const { since, until } = history;
  /** @param {number} moment */
  const x = (moment) => ((moment - since) / (until - since)) * WIDTH;
  const failing = parts.filter((part) => part.state === "f").reduce((sum, part) => sum + part.to - part.from, 0);
  const label = `From ${clock(since)} to ${clock(until)}: ${failing ? `failed for ${duration(failing)} in all` : "no failure"}.`;
  /** @param {MouseEvent} event */
  const choose = (event) => {
    const frame = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    go(here({ at: String(Math.round(since + ((event.clientX - frame.left) / frame.width) * (until - since))) }));
  };
  return html`
    <svg class="band" viewBox=${`0 0 ${WIDTH} 40`} preserveAspectRatio="none" role="img" aria-label=${label} onClick=${choose}>
      <rect class="none" x="0" width=${WIDTH} y="12" height="28"><title>The history has no data for this period.</title></rect>
      ${parts.map((part) => html`
        <rect class=${LOOKS[part.state].name} x=${x(part.from).toFixed(1)} width=${Math.max(1, x(part.to) - x(part.from)).toFixed(1)} y=${part.state === "f" ? 0 : 12} height=${part.state === "f" ? 40 : 28}>
          <title>${`${clock(part.from)}: ${part.state === "f" ? outcome(part.outcome) : LOOKS[part.state].word}, for ${duration(part.to - part.from)}`}</title></rect>`)}
      ${at.value !== null && html`<rect class="now" x=${(x(at.value) - 1).toFixed(1)} width="2" y="0" height="40" />`}
    </svg>
    <p class="ends soft" aria-hidden="true"><span>${clock(since)}</span><span>${clock(until)}</span></p>`;
}
