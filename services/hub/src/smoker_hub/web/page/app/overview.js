// The page at 3 a.m.: the sentence, the findings, the zones, the matrix.
import { html } from "../vendor/ui.js";
import { useSummary } from "./bar.js";
import { Card, Closed } from "./findings.js";
import { useResource } from "./load.js";
import { Matrix } from "./matrix.js";
import { Waiting } from "./parts.js";
import { at } from "./route.js";
import { counted, shown } from "./words.js";
import { Zones } from "./zones.js";

/** @typedef {import("./types.js").Finding} Finding */
/** @typedef {import("./types.js").Findings} Findings */
/** @typedef {import("./types.js").Summary} Summary */

const GRAVITY = ["critical", "warning", "info"];

export function Overview() {
  const summary = useSummary();
  const findings = /** @type {import("./load.js").Resource<Findings>} */ (useResource("findings"));
  const told = findings.data.value;
  if (!summary.data.value || !told) return html`<h1 tabindex="-1" class="visually-hidden">Smoker</h1><${Waiting} error=${findings.error.value || summary.error.value} />`;
  const open = [...told.open].sort((one, two) => gravity(one) - gravity(two) || one.first_seen - two.first_seen);
  return html`
    <${Sentence} summary=${summary.data.value} open=${open} />
    ${open.length > 0 && html`
      <section aria-labelledby="findings"><h2 id="findings">${counted(open.length, "open finding")}</h2>
        ${open.map((each) => html`<${Card} key=${each.id} found=${each} />`)}
      </section>`}
    <${Closed} recent=${told.recent} />
    <${Zones} />
    <${Matrix} />`;
}

/** @param {Finding} found */
const gravity = (found) => (found.finding.kind === "unknown" ? 5 : GRAVITY.indexOf(found.finding.severity));

/**
 * The answer in one sentence.
 * @param {{ summary: Summary, open: Finding[] }} props
 */
function Sentence({ summary, open }) {
  const [state, word, text] = answer(summary, open);
  const answering = summary.probers - summary.silent;
  document.title = `${word} ${shown(text)} · Smoker`;
  return html`
    <div class="answer">
      <h1 tabindex="-1" class=${`sentence ${state}`}>${word && html`<span class="word">${word}</span>${" "}`}${shown(text)}</h1>
      ${at.value === null && html`
        <p class="soft facts">${answering} of ${counted(summary.probers, "prober")} ${answering === 1 ? "answers" : "answer"} · ${counted(summary.paths, "path")}</p>`}
    </div>`;
}

/**
 * Return the state, its word and the sentence: the gravest finding where there is one.
 * @param {Summary} summary
 * @param {Finding[]} open
 */
function answer(summary, open) {
  const [gravest] = open;
  if (gravest && gravest.finding.kind !== "unknown" && summary.state !== "blind") {
    const more = open.length > 1 ? `, and ${counted(open.length - 1, "more finding")}` : "";
    const word = gravest.finding.severity === "critical" ? "FAULT" : gravest.finding.severity === "warning" ? "WARNING" : "INFO";
    return ["faults", word, `${gravest.place}: ${gravest.what}${more}`];
  }
  if (at.value !== null) return gravest ? ["unclear", "UNCLEAR", gravest.what] : ["healthy", "", "No finding was open"];
  const [, word = "", text = summary.sentence] = /^([A-Z]{4,}) (.*)$/s.exec(summary.sentence) ?? [];
  return [summary.state, word, text];
}
