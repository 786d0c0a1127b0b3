// The first page: the state in one sentence, the findings, the zones, the matrix.
import { html } from "../vendor/ui.js";
import { Card, Closed } from "./findings.js";
import { useResource } from "./load.js";
import { Matrix } from "./matrix.js";
import { Waiting } from "./parts.js";
import { at } from "./route.js";
import { capital, counted, GRAVITY, shown } from "./words.js";
import { Zones } from "./zones.js";

/** @typedef {import("./types.js").Finding} Finding */
/** @typedef {import("./types.js").Findings} Findings */
/** @typedef {import("./types.js").Summary} Summary */

const FULL = 4; // findings that are shown in full

export function Overview() {
  const summary = /** @type {import("./load.js").Resource<Summary>} */ (useResource("summary"));
  const findings = /** @type {import("./load.js").Resource<Findings>} */ (useResource("findings"));
  const told = findings.data.value;
  if (!summary.data.value || !told) return html`<${Sentence} summary=${null} /><${Waiting} error=${findings.error.value || summary.error.value} />`;
  const open = [...told.open].sort((one, two) => gravity(one) - gravity(two) || one.first_seen - two.first_seen);
  return html`
    <${Sentence} summary=${summary.data.value} />
    ${open.length > 0 && html`
      <section aria-labelledby="findings"><h2 id="findings">${counted(open.length, "open finding")}</h2>
        ${open.slice(0, FULL).map((each) => html`<${Card} key=${each.id} found=${each} />`)}
        <${Rest} open=${open.slice(FULL)} />
      </section>`}
    <${Closed} recent=${told.recent} />
    <${Zones} />
    <${Matrix} />`;
}

/** The findings after the most severe ones, one line each; a click shows one in full. @param {{ open: Finding[] }} props */
const Rest = ({ open }) => open.map((each) => html`
  <details class="more" key=${each.id}><summary><bdi>${shown(each.place)}</bdi>: ${shown(each.what)}</summary><${Card} found=${each} bare /></details>`);

/** @param {Finding} found */
const gravity = (found) => (found.finding.kind === "unknown" ? 5 : GRAVITY.indexOf(found.finding.severity));

/** The state as one word, and below it as one sentence. Its title is there before the answer, so that it keeps the focus. @param {{ summary: Summary | null }} props */
function Sentence({ summary }) {
  if (!summary) return html`<div class="answer"><h1 tabindex="-1" class="visually-hidden">Smoker</h1></div>`;
  const [, word = "", text = summary.sentence] = /^([A-Z]{4,}) (.*)$/s.exec(summary.sentence) ?? [];
  const answering = summary.probers - summary.silent;
  document.title = `${word} ${shown(text)} · Smoker`;
  return html`
    <div class="answer" data-at=${at.value ?? "now"}>
      <h1 tabindex="-1" class=${`sentence ${summary.state}`}>${word && html`<span class="word">${word}</span>${" "}`}${capital(shown(text))}</h1>
      ${at.value === null && summary.state !== "healthy" && html`
        <p class="soft facts">${answering} of ${counted(summary.probers, "prober")} ${answering === 1 ? "answers" : "answer"} · ${counted(summary.paths, "path")}</p>`}
    </div>`;
}
