// The chart of a path: round trips as a line; failed attempts, and lost packets of UDP, as steps.
import { html } from "../vendor/ui.js";
import { Chart } from "./chart.js";
import { useLast, useResource } from "./load.js";
import { useSpan } from "./span.js";
import { clock, digits, percent } from "./words.js";

/** @typedef {import("./chart.js").Point} Point */
/** @typedef {import("./types.js").Series} Series */

const NAMES = { rtt: "RTT", failing: "failed or lost", unit: " %" };
const USUAL = 60; // seconds from one point to the next, if there are too few to tell
const FROM = { prober: "the prober, which keeps its last hour", prometheus: "Prometheus" };

/** @param {{ path: import("./types.js").Path }} props  A chart shows one path for all of its life: give it a key. */
export function PathChart({ path }) {
  const span = useSpan();
  const metrics = ["rtt", "failures", ...(path.probe === "udp" ? ["loss"] : [])];
  const resources = metrics.map((metric) => /** @type {import("./load.js").Resource<Series>} */ (
    useResource("series", { path: path.id, metric, ...span }, { timeless: true, seldom: true })));
  const found = resources.flatMap((each) => each.data.value ?? []);
  const whole = useLast(found.length === resources.length ? found : null);
  const why = resources.map((each) => each.error.value).find(Boolean);
  if (why) return html`<p class="soft">There is no chart: ${why}.</p>`;
  if (!whole) return null;
  const [rtt, failures, ...loss] = whole;
  const { since, until, source } = rtt;
  const curves = {
    since, until, step: usual(failures.at), rtt: points(rtt, 1_000),
    failing: [failures, ...loss].flatMap((each) => points(each, 100)).sort((one, two) => one.at - two.at),
  };
  if (!curves.failing.length) return html`<p class="soft">There is no chart: no result of this period is known to ${FROM[source]}.</p>`;
  const said = `${summed(curves.rtt, curves.failing)} From ${FROM[source]}.`;
  return html`<${Chart} curves=${curves} label=${said} names=${NAMES} /><p class="soft hint below">${said}</p>`;
}

/** @param {Series} series @param {number} factor */
const points = ({ at, value }, factor) => at.map((moment, place) => ({ at: moment, value: value[place] * factor }));

/** Return the usual time from one moment to the next: the median. @param {number[]} at */
function usual(at) {
  const gaps = at.slice(1).map((moment, place) => moment - at[place]).sort((one, two) => one - two);
  return gaps[gaps.length >> 1] ?? USUAL;
}

/** @param {Point[]} rtt @param {Point[]} failing */
function summed(rtt, failing) {
  const worst = failing.reduce((best, one) => (one.value > best.value ? one : best));
  const sorted = rtt.map(({ value }) => value).sort((one, two) => one - two);
  const trips = sorted.length ? `RTT mostly ${digits(sorted[sorted.length >> 1])} ms` : "no RTT was measured";
  return `At most ${percent(worst.value / 100)} failed or lost${worst.value ? `, at ${clock(worst.at)}` : ""}; ${trips}.`;
}
