// The time machine: a slider over the history, with a mark for each finding that opened or closed.
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { useHappenings, WORSE } from "./events.js";
import { now } from "./live.js";
import { at, go, here } from "./route.js";
import { clock, duration } from "./words.js";

const LEAST = 600; // least number of seconds that the slider covers
const SETTLE = 200; // milliseconds without a move after which the page shows the moment

export function TimeMachine() {
  const resource = useHappenings();
  const found = resource.data.value;
  const [moving, setMoving] = useState(/** @type {number | null} */ (null));
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => setMoving(null), [at.value]);
  if (!found || resource.error.value || !found.events.length) return null;
  const end = Math.floor(now.value / 1000);
  const begin = Math.min(found.events[found.events.length - 1].at, end - LEAST, at.value ?? end);
  const marks = found.events.filter((each) => each.kind.startsWith("finding"));
  const moment = moving ?? at.value ?? end;

  /** @param {number} wanted */
  const show = (wanted) => go(here({ at: wanted >= end ? "" : String(Math.round(wanted)) }), { replace: true });
  /** @param {Event} event */
  const slide = (event) => {
    const wanted = begin + Number(/** @type {HTMLInputElement} */ (event.target).value);
    setMoving(wanted);
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => show(wanted), SETTLE);
  };
  const before = marks.find((each) => each.at < moment - 1);
  const after = [...marks].reverse().find((each) => Math.ceil(each.at) > moment && Math.ceil(each.at) <= end);
  const text = moment >= end ? "now" : `${clock(moment)}, ${duration(end - moment)} ago`;
  return html`
    <aside class="time" aria-label="Time machine">
      <button type="button" aria-disabled=${!before} onClick=${() => before && show(Math.ceil(before.at))} aria-label="To the change before">‹</button>
      <div class="track">
        <svg viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">${marks.map((each) => html`
          <rect class=${WORSE.has(each.kind) ? "open" : "close"} x=${(((each.at - begin) / (end - begin)) * 1000).toFixed(1)} width="2" height="10" />`)}</svg>
        <input type="range" min="0" max=${end - begin} step="1" value=${moment - begin} onInput=${slide} aria-label="Moment" aria-valuetext=${text} />
      </div>
      <button type="button" aria-disabled=${!after} onClick=${() => after && show(Math.ceil(after.at))} aria-label="To the change after">›</button>
      <output class="moment">${text}</output>
      <button type="button" aria-disabled=${at.value === null} onClick=${() => at.value !== null && go(here({ at: "" }))}>Now</button>
    </aside>`;
}
