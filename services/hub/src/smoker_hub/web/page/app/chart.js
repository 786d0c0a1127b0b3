// The chart of a node's minutes: the median RTT as a line, failing paths as steps. Two scales, and the values under the pointer.
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { clock, digits } from "./words.js";

/** @typedef {import("./types.js").Rollups} Minutes */

const HEIGHT = 190, TOP = 8, BOTTOM = 22, LEFT = 58, RIGHT = 34; // pixels; the margins have the labels
const LABELS = 80; // least pixels from one label of the time to the next
const STEPS = [60, 300, 900, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400]; // seconds from one of these labels to the next

/** @param {{ minutes: Minutes, label: string }} props */
export function Chart({ minutes, label }) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [width, setWidth] = useState(0);
  const [under, setUnder] = useState(-1); // number of the minute under the pointer; -1: none
  useEffect(() => {
    if (!box.current) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  const { at, failing, rtt } = minutes;
  const shown = at[under] === undefined ? null : under;
  return html`
    <div class="chart" ref=${box}>
      ${width > LEFT + RIGHT && html`<${Drawing} minutes=${minutes} label=${label} width=${width} under=${shown} choose=${setUnder} />`}
      <p class="legend soft" aria-hidden="true">
        <span>${shown === null ? "" : clock(at[shown])}</span>
        <span class="rtt">RTT, median ${shown === null || !rtt[shown] ? "–" : `${digits(rtt[shown] / 1000)} ms`}</span>
        <span class="failing">failing paths ${shown === null ? "–" : failing[shown]}</span></p>
    </div>`;
}

/** @param {{ minutes: Minutes, label: string, width: number, under: number | null, choose: (place: number) => void }} props */
function Drawing({ minutes, label, width, under, choose }) {
  const { since, until, at, failing, rtt } = minutes;
  const [inner, floor] = [width - LEFT - RIGHT, HEIGHT - BOTTOM];
  const ms = ticks(Math.max(...rtt) / 1000, 0.01), paths = ticks(Math.max(...failing), 1);
  /** @param {number} moment */
  const x = (moment) => LEFT + ((moment - since) / (until - since)) * inner;
  /** @param {number} value @param {number[]} scale */
  const y = (value, scale) => floor - (value / scale[scale.length - 1]) * (floor - TOP);
  /** @param {number} place */
  const end = (place) => Math.min(until, at[place] + 60, at[place + 1] ?? until);
  const line = at.map((moment, place) => (rtt[place] ? `${rtt[place - 1] ? "L" : "M"}${x(moment).toFixed(1)} ${y(rtt[place] / 1000, ms).toFixed(1)}h.1` : "")).join("");
  const steps = at.map((moment, place) => (failing[place] ? `M${x(moment).toFixed(1)} ${floor}V${y(failing[place], paths).toFixed(1)}H${Math.max(x(moment) + 1, x(end(place))).toFixed(1)}V${floor}z` : "")).join("");
  /** @param {PointerEvent} event */
  const move = (event) => {
    const frame = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    const moment = since + ((event.clientX - frame.left - LEFT) / inner) * (until - since);
    choose(at.reduce((best, one, place) => (Math.abs(one - moment) < Math.abs(at[best] - moment) ? place : best), 0));
  };
  return html`
    <svg width=${width} height=${HEIGHT} role="img" aria-label=${label} onPointerMove=${move} onPointerLeave=${() => choose(-1)}>
      ${ms.map((value) => html`<path class="grid" d=${`M${LEFT} ${y(value, ms)}h${inner}`} /><text x=${LEFT - 8} y=${y(value, ms) + 4} text-anchor="end">${value} ms</text>`)}
      ${paths.map((value) => html`<text x=${width - RIGHT + 8} y=${y(value, paths) + 4}>${value}</text>`)}
      ${times(since, until, inner).map(([moment, text]) => html`<text x=${x(moment)} y=${HEIGHT - 5} text-anchor="middle">${text}</text>`)}
      <path class="failing" d=${steps} /><path class="rtt" d=${line} />
      ${under !== null && html`<path class="pointer" d=${`M${x(at[under])} ${TOP}V${floor}`} />`}
    </svg>`;
}

/**
 * Return the labels of a scale from 0 to at least `most`, one, two or five of a power of ten apart.
 * @param {number} most
 * @param {number} least  From one label to the next.
 */
function ticks(most, least) {
  const rough = most / 4, power = 10 ** Math.floor(Math.log10(rough || 1));
  const step = Math.max(least, [1, 2, 5, 10].map((part) => part * power).find((each) => each >= rough) ?? least);
  const many = Math.max(1, Math.ceil(most / step - 1e-9));
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
