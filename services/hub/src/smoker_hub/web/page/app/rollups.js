// A node minute by minute: failing paths and round-trip time.
import { html } from "../vendor/ui.js";
import { Chart } from "./chart.js";
import { useLast, useResource } from "./load.js";
import { Spans, useSpan } from "./span.js";
import { clock, counted, digits, shown } from "./words.js";

/** @typedef {import("./types.js").Rollups} Minutes */

const NAMES = { rtt: "RTT, median", failing: "failing paths", unit: "" };

/** @param {{ name: string }} props  It shows one node for all of its life: give it a key. */
export function Rollups({ name }) {
  const resource = /** @type {import("./load.js").Resource<Minutes>} */ (useResource("rollups", { by: "node", name, ...useSpan() }, { timeless: true }));
  const found = useLast(resource.data.value);
  if (!found || resource.error.value) return null;
  return html`
    <section aria-labelledby="minutes"><h2 id="minutes">Minute by minute</h2>
      <${Spans} />
      ${found.at.length < 2
        ? html`<p class="soft">The history has less than two minutes of this period.</p>`
        : html`<${Chart} curves=${curvesOf(found)} label=${summed(name, found)} names=${NAMES} /><p class="soft hint below">${summed(name, found)}</p>`}
    </section>`;
}

/** @param {Minutes} minutes */
const curvesOf = ({ since, until, at, failing, rtt }) => ({
  since, until, step: 60,
  rtt: at.map((moment, place) => ({ at: moment, value: rtt[place] / 1000 })),
  failing: at.map((moment, place) => ({ at: moment, value: failing[place] })),
});

/** @param {string} name @param {Minutes} minutes */
function summed(name, { at, failing, rtt }) {
  const worst = Math.max(...failing);
  const when = clock(at[failing.indexOf(worst)]);
  const median = [...rtt].sort((one, two) => one - two)[rtt.length >> 1];
  return `Paths from ${shown(name)}: ${worst ? `at most ${counted(worst, "path")} failed, at ${when}` : "none failed"}; RTT mostly ${digits(median / 1000)} ms.`;
}
