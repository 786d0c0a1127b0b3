// A chart: round trips as a line, failures as steps. Two scales, and the values under the pointer.
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { clock, digits } from "./words.js";

/** @typedef {{ at: number, value: number }} Point */
/**
 * @typedef {object} Curves
 * @property {number} since
 * @property {number} until
 * @property {number} step  Seconds that a point stands for. The line has a gap where points are missing for longer.
 * @property {Point[]} rtt  Milliseconds; 0 where nothing was measured.
 * @property {Point[]} failing  In `unit`.
 */
/** @typedef {{ rtt: string, failing: string, unit: string }} Names  The words of the legend, and the unit of failures. */

const HEIGHT = 190, TOP = 8, BOTTOM = 22, LEFT = 58, RIGHT = 44; // pixels; the margins have the labels
const GAP = 2.5; // steps without a point after which the line has a gap
const LABELS = 80; // least pixels from one label of the time to the next
const STEPS = [60, 300, 900, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400]; // seconds from one of these labels to the next

/** @param {{ curves: Curves, label: string, names: Names }} props */
export function Chart({ curves, label, names }) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [width, setWidth] = useState(0);
  const [under, setUnder] = useState(/** @type {number | null} */ (null)); // the moment under the pointer
  useEffect(() => {
    if (!box.current) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  const failing = valueAt(curves.failing, under, curves.step), rtt = valueAt(curves.rtt, under, curves.step);
  return html`
    <div class="chart" ref=${box}>
      ${width > LEFT + RIGHT && html`<${Drawing} curves=${curves} label=${label} unit=${names.unit} width=${width} under=${under} choose=${setUnder} />`}
      <p class="legend soft" aria-hidden="true">
        <span>${under === null ? "" : clock(under)}</span>
        <span class="rtt">${names.rtt} ${rtt ? `${digits(rtt)} ms` : "–"}</span>
        <span class="failing">${names.failing} ${failing === null ? "–" : `${Math.round(failing)}${names.unit}`}</span></p>
    </div>`;
}

/** @param {{ curves: Curves, label: string, unit: string, width: number, under: number | null, choose: (moment: number | null) => void }} props */
function Drawing({ curves, label, unit, width, under, choose }) {
  const { since, until, step, failing, rtt } = curves;
  const [inner, floor] = [width - LEFT - RIGHT, HEIGHT - BOTTOM];
  const ms = ticks(most(rtt), 0.01), right = ticks(most(failing), 1);
  /** @param {number} moment */
  const x = (moment) => LEFT + ((moment - since) / (until - since)) * inner;
  /** @param {number} value @param {number[]} scale */
  const y = (value, scale) => floor - (value / scale[scale.length - 1]) * (floor - TOP);
  /** @param {number} place */
  const goesOn = (place) => rtt[place - 1]?.value && rtt[place].at - rtt[place - 1].at < GAP * step;
  const line = rtt.map(({ at, value }, place) => (value ? `${goesOn(place) ? "L" : "M"}${x(at).toFixed(1)} ${y(value, ms).toFixed(1)}h.1` : "")).join("");
  const steps = failing.map(({ at, value }) => (value ? `M${x(at).toFixed(1)} ${floor}V${y(value, right).toFixed(1)}H${Math.max(x(at) + 1, x(Math.min(until, at + step))).toFixed(1)}V${floor}z` : "")).join("");
  /** @param {PointerEvent} event */
  const move = (event) => {
    const frame = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    const moment = since + ((event.clientX - frame.left - LEFT) / inner) * (until - since);
    choose((nearest(failing, moment) ?? nearest(rtt, moment))?.at ?? null);
  };
  return html`
    <svg width=${width} height=${HEIGHT} role="img" aria-label=${label} onPointerMove=${move} onPointerLeave=${() => choose(null)}>
      ${ms.map((value) => html`<path class="grid" d=${`M${LEFT} ${y(value, ms)}h${inner}`} /><text x=${LEFT - 8} y=${y(value, ms) + 4} text-anchor="end">${value} ms</text>`)}
      ${right.map((value) => html`<text x=${width - RIGHT + 8} y=${y(value, right) + 4}>${value}${unit}</text>`)}
      ${times(since, until, inner).map(([moment, text]) => html`<text x=${x(moment)} y=${HEIGHT - 5} text-anchor="middle">${text}</text>`)}
      <path class="failing" d=${steps} /><path class="rtt" d=${line} />
      ${under !== null && html`<path class="pointer" d=${`M${x(under)} ${TOP}V${floor}`} />`}
    </svg>`;
}

/** @param {Point[]} points */
const most = (points) => points.reduce((best, { value }) => Math.max(best, value), 0);

/** @param {Point[]} points @param {number} moment */
const nearest = (points, moment) => points.reduce((/** @type {Point | undefined} */ best, one) => (best && Math.abs(one.at - moment) >= Math.abs(best.at - moment) ? best : one), undefined);

/**
 * Return the largest value within half a step of a moment, or null if there is none.
 * @param {Point[]} points
 * @param {number | null} moment
 * @param {number} step
 */
function valueAt(points, moment, step) {
  const near = moment === null ? [] : points.filter(({ at }) => Math.abs(at - moment) <= step / 2);
  return near.length ? most(near) : null;
}

/**
 * Return the labels of a scale from 0 to at least `top`, one, two or five of a power of ten apart.
 * @param {number} top
 * @param {number} least  From one label to the next.
 */
function ticks(top, least) {
  const rough = top / 4, power = 10 ** Math.floor(Math.log10(rough || 1));
  const step = Math.max(least, [1, 2, 5, 10].map((part) => part * power).find((each) => each >= rough) ?? least);
  const many = Math.max(1, Math.ceil(top / step - 1e-9));
  return Array.from({ length: many + 1 }, (_, place) => Number((place * step).toPrecision(12)));
}

/**
 * Return moments and their labels: full minutes, hours or days of the local time.
 * @param {number} since
 * @param {number} until
 * @param {number} pixels
 * @returns {[number, string][]}
 */
function times(since, until, pixels) {
  const step = STEPS.find((each) => ((until - since) / each) * LABELS <= pixels) ?? STEPS[STEPS.length - 1];
  const ahead = new Date(since * 1000).getTimezoneOffset() * -60;
  /** @type {[number, string][]} */
  const found = [];
  for (let moment = Math.ceil((since + ahead) / step) * step - ahead; moment <= until && found.length < 100; moment += step) {
    const options = /** @type {Intl.DateTimeFormatOptions} */ (step < 86_400 ? { hour: "2-digit", minute: "2-digit" } : { day: "2-digit", month: "2-digit" });
    found.push([moment, new Date(moment * 1000).toLocaleString("en-GB", options)]);
  }
  return found;
}
