// The period that charts show, up to now or to the moment of the time machine.
import { html, signal } from "../vendor/ui.js";
import { now } from "./live.js";
import { at } from "./route.js";

const SPANS = /** @type {[string, number][]} */ ([["1 h", 3_600], ["6 h", 21_600], ["1 d", 86_400], ["7 d", 604_800]]);
const STEP = 60; // seconds for which the address of a request stays the same

const seconds = signal(SPANS[0][1]);

/** Return the moment at which charts begin. Without a moment of the time machine they end now. */
export function useSpan() {
  const end = at.value ?? Math.ceil(now.value / 1000 / STEP) * STEP;
  return { since: String(Math.floor(end - seconds.value)), until: at.value === null ? undefined : String(at.value) };
}

/** The buttons that choose the period. */
export const Spans = () => html`
  <div class="forms spans" role="group" aria-label="Period">
    ${SPANS.map(([name, value]) => html`<button type="button" aria-pressed=${seconds.value === value} onClick=${() => (seconds.value = value)}>${name}</button>`)}
  </div>`;
