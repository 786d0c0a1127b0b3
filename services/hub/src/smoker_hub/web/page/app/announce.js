// Announce to screen readers: findings that open, become worse and close, and the state of the connection.
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { useIsOld } from "./bar.js";
import { useResource } from "./load.js";
import { mode } from "./live.js";
import { shown } from "./words.js";

/** @typedef {import("./types.js").Findings} Findings */
/** @typedef {{ text: string, severity: string, escalations: number }} Known  `escalations`: the most so far, of all replicas of the hub. */

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
    const worse = [...open].filter(([id, each]) => each.escalations > (old.get(id)?.escalations ?? each.escalations)).map(([, each]) => `Worse, ${each.severity}. ${each.text}.`);
    const over = [...old].filter(([id]) => !open.has(id)).map(([, each]) => `Closed. ${each.text}.`);
    const all = [...news, ...worse, ...over];
    if (all.length) say(shown(all.join(" ")));
  }, [findings]);
  const old = useIsOld() && mode.value !== "past" ? "The hub's last look at its probers is old." : "";
  const connection = mode.value === "lost" ? "The connection to the hub is lost." : old;
  return html`<div class="visually-hidden" role="status" aria-live="polite" id="announcer">${said} ${connection}</div>`;
}

/** @param {import("./types.js").Finding} found @param {Known} [was] @returns {Known} */
function known(found, was) {
  const escalations = Math.max(found.escalations, was?.escalations ?? 0);
  return { text: `${found.place}: ${found.what}`, severity: found.finding.severity, escalations };
}
