// Announce to screen readers: findings that open, become worse and close, and the state of the connection.
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { useResource } from "./load.js";
import { mode } from "./live.js";
import { GRAVITY, shown } from "./words.js";

/** @typedef {import("./types.js").Findings} Findings */
/** @typedef {{ text: string, severity: string, kind: string, worst: number }} Known  `worst`: the gravest so far, as a place in GRAVITY. */

export function Announcer() {
  const findings = /** @type {import("./load.js").Resource<Findings>} */ (useResource("findings")).data.value;
  const before = useRef(/** @type {Map<string, Known> | null} */ (null));
  const [said, say] = useState("");
  useEffect(() => {
    if (!findings) return;
    const old = before.current;
    const open = new Map(findings.open.map((each) => [each.id, known(each, old?.get(each.id))]));
    before.current = open;
    if (!old || mode.value === "past") return;
    const news = [...open].filter(([id]) => !old.has(id)).map(([, each]) => `New finding. ${each.text}.`);
    const worse = [...open].filter(([id, each]) => isWorse(each, old.get(id))).map(([, each]) => `Worse, ${each.severity}. ${each.text}.`);
    const over = [...old].filter(([id]) => !open.has(id)).map(([, each]) => `Closed. ${each.text}.`);
    const all = [...news, ...worse, ...over];
    if (all.length) say(shown(all.join(" ")));
  }, [findings]);
  const connection = mode.value === "lost" ? "The connection to the hub is lost." : "";
  return html`<div class="visually-hidden" role="status" aria-live="polite" id="announcer">${said} ${connection}</div>`;
}

/** @param {import("./types.js").Finding} found @param {Known} [was] @returns {Known} */
function known(found, was) {
  const { kind, severity } = found.finding;
  return { text: `${found.place}: ${found.what}`, severity, kind, worst: Math.min(GRAVITY.indexOf(severity), was?.worst ?? GRAVITY.length) };
}

/** Return whether a finding escalated, as the hub counts it. @param {Known} each @param {Known} [was] */
const isWorse = (each, was) => was !== undefined && (each.worst < was.worst || (was.kind === "fault" && each.kind === "not_ready"));
