// The events with their times: findings, nodes, probers, the hub itself.
import { html, signal } from "../vendor/ui.js";
import { useResource } from "./load.js";
import { now } from "./live.js";
import { Waiting } from "./parts.js";
import { at, here, link } from "./route.js";
import { clock, counted, shown } from "./words.js";

/** @typedef {import("./types.js").Happening} Happening */
/** @typedef {import("./types.js").Happenings} Happenings */

const WEEK = 604_800; // seconds
const STEP = 60; // seconds for which the address of the request stays the same

/** Whether only findings are shown. */
const findingsOnly = signal(false);

/** @returns {import("./load.js").Resource<Happenings>} */
export function useHappenings() {
  const since = Math.floor(now.value / 1000 / STEP) * STEP - WEEK;
  return useResource("events", { since: String(since) }, { timeless: true });
}

export function Events() {
  const resource = useHappenings();
  const found = resource.data.value;
  document.title = "Events · Smoker";
  const all = found?.events.filter((each) => (at.value === null || each.at <= at.value) && (!findingsOnly.value || each.kind.startsWith("finding"))) ?? [];
  return html`
    <h1 tabindex="-1" class="title">Events</h1>
    ${!found || resource.error.value ? html`<${Waiting} error=${resource.error.value} />` : html`
      <p class="filters"><label><input type="checkbox" checked=${findingsOnly.value} onChange=${() => (findingsOnly.value = !findingsOnly.value)} /> Findings only</label></p>
      ${!all.length && html`<p class="soft">No event in the last seven days.</p>`}
      <ol class="events">${all.map((each) => html`<${Line} key=${`${each.at} ${each.kind} ${each.subject}`} event=${each} />`)}</ol>
      ${found.left_out > 0 && html`<p class="soft">${counted(found.left_out, "older event")} ${found.left_out === 1 ? "is" : "are"} not listed.</p>`}`}`;
}

/** @param {{ event: Happening }} props */
function Line({ event }) {
  const text = html`<bdi>${shown(event.text)}</bdi>`;
  return html`
    <li class=${WORSE.has(event.kind) ? "critical" : "closed"}>
      <a class="when" href=${here({ view: "", at: String(Math.ceil(event.at)) })} title="Show this moment"><time datetime=${new Date(event.at * 1000).toISOString()}>${clock(event.at)}</time></a>
      <span class="badge">${word(event.kind)}</span>
      ${event.kind.startsWith("finding") ? html`<a href=${link({ view: "finding", id: event.subject })}>${text}</a>` : html`<span>${text}</span>`}
    </li>`;
}

const KINDS = /** @type {Record<string, string>} */ ({ finding_opened: "opened", finding_escalated: "escalated", finding_closed: "closed" });

/** Kinds of events after which something is worse than before. */
export const WORSE = new Set(["finding_opened", "finding_escalated"]);

/** Return `prober` for `prober_silent`: the text contains the rest. @param {string} kind */
const word = (kind) => KINDS[kind] ?? shown(kind.split("_")[0]);
