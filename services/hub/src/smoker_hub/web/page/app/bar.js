// The bar at the top, and the banner for a hub that does not answer.
import { html } from "../vendor/ui.js";
import { mode, now } from "./live.js";
import { heard, lost, useResource } from "./load.js";
import { Name } from "./parts.js";
import { at, here, link, view } from "./route.js";
import { clock, duration } from "./words.js";

/** @typedef {import("./types.js").Summary} Summary */

const OLD_LOOK = 30; // seconds after which the banner says that the hub's last look is old

const MODES = {
  stream: "Live",
  poll: "Live, every 5 s",
  past: "The past",
  lost: "No connection",
};

/** @returns {import("./load.js").Resource<Summary>} */
export const useSummary = () => useResource("summary", {}, { timeless: true });

/** Seconds since the hub's last look. @param {import("./load.js").Resource<Summary>} resource */
const lookAge = ({ data, when }) => (data.value?.age == null ? null : data.value.age + (now.value - when.value) / 1000);

/** Whether the hub's last look is old. */
export const useIsOld = () => (lookAge(useSummary()) ?? 0) > OLD_LOOK;

/** The names of the product and the cluster, links to the views, and the age of the last look. */
export function Bar() {
  const resource = useSummary();
  const age = lookAge(resource);
  const cluster = resource.data.value?.cluster;
  /** @param {string} name */
  const current = (name) => (view.value === name ? "page" : undefined);
  return html`
    <header class="bar">
      <a class="brand" href=${link({})}>Smoker</a>
      ${cluster && html`<span class="cluster" title="The cluster's name"><${Name} name=${cluster} /></span>`}
      <nav aria-label="Views">
        <a href=${link({})} aria-current=${current("")}>Overview</a>
        <a href=${link({ view: "events" })} aria-current=${current("events")}>Events</a>
      </nav>
      <span class=${`mode ${mode.value}`}>
        ${MODES[mode.value]}${age !== null && mode.value !== "past" && html`<span class="soft">, last look ${duration(age)} ago</span>`}
      </span>
    </header>`;
}

/**
 * A warning above every view: no connection, an old look, or a moment of the past. It counts seconds, so it is no alert:
 * a screen reader would say it each second. announce.js says it once.
 */
export function Connection() {
  const age = lookAge(useSummary());
  const old = lost.value !== null;
  document.body.classList.toggle("old", old);
  document.body.classList.toggle("past", at.value !== null);
  if (old) {
    return html`<section class="banner bad" aria-label="Connection">
      <strong>The hub has not answered for ${duration((now.value - heard.value) / 1000)}.</strong>
      <span> This page shows the state of ${clock(heard.value / 1000)}; it is out of date.</span></section>`;
  }
  if (at.value !== null) {
    return html`<section class="banner past" aria-label="The past"><strong>You are looking at ${clock(at.value)}</strong>
      <span>, ${duration(now.value / 1000 - at.value)} ago. </span><a href=${here({ at: "" })}>Back to now</a></section>`;
  }
  if (age !== null && age > OLD_LOOK) {
    return html`<section class="banner warn" aria-label="Connection"><strong>The hub's last look at its probers was ${duration(age)} ago.</strong></section>`;
  }
  return null;
}
