// Findings as cards: place, fault, time, evidence and the next command.
import { html } from "../vendor/ui.js";
import { Command, Since } from "./parts.js";
import { link, view } from "./route.js";
import { capital, clock, counted, duration, percent, shown } from "./words.js";

/** @typedef {import("./types.js").Finding} Finding */

const WORDS = { critical: "Fault", warning: "Warning", info: "Info" };
const SHOWN = 20; // closed findings in the list

/**
 * A finding in full.
 * @param {{ found: Finding, bare?: boolean }} props  `bare`: leave out the place, which the line above shows.
 */
export function Card({ found, bare = false }) {
  const { finding } = found;
  const closed = found.closed !== null;
  const word = closed ? "Closed" : found.phase === "clearing" ? "Clearing" : WORDS[finding.severity];
  return html`
    <article class=${`card ${closed ? "closed" : finding.severity}`}>
      <header>
        <span class="badge">${word}</span>
        ${!bare && html`<h3><bdi>${shown(found.place)}</bdi></h3><p class="what">${capital(shown(found.what))}</p>`}
        ${bare && html`<h2 class="what">Evidence</h2>`}
      </header>
      <ul class="evidence">${found.evidence.map((each) => html`<li>${shown(each)}</li>`)}</ul>
      ${found.next.map((step) => html`<${Command} step=${step} />`)}
      <p class="soft life">
        ${found.opened !== null && html`<span>Open since <${Since} instant=${found.opened} /></span>`}
        <span>confidence ${percent(Math.min(finding.confidence, 0.99))}</span>
        ${view.value !== "finding" && html`<a href=${link({ view: "finding", id: found.id })} aria-label=${`Paths and graph of ${shown(found.place)}`}>Paths and graph</a>`}
      </p>
    </article>`;
}

/**
 * The closed findings, the last one first, in a folded list.
 * @param {{ recent: Finding[] }} props
 */
export function Closed({ recent }) {
  if (!recent.length) return null;
  return html`
    <details class="closed-list">
      <summary>${counted(recent.length, "closed finding")}, the last one at ${clock(recent[0].closed ?? recent[0].last_seen)}</summary>
      <ul>${recent.slice(0, SHOWN).map((each) => html`
        <li key=${`${each.id}${each.closed}`}>
          <time>${clock(each.closed ?? each.last_seen)}</time>
          <a href=${link({ view: "finding", id: each.id })}><bdi>${shown(each.place)}</bdi>: ${shown(each.what)}</a>
          <span class="soft">after ${duration((each.closed ?? each.last_seen) - each.first_seen)}</span>
        </li>`)}</ul>
      ${recent.length > SHOWN && html`<p class="soft">All of them: <a href=${link({ view: "events" })}>events</a>.</p>`}
    </details>`;
}
