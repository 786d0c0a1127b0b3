// Announce to screen readers: findings that open and close, and the state of the connection.
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { useResource } from "./load.js";
import { mode } from "./live.js";
import { shown } from "./words.js";

/** @typedef {import("./types.js").Findings} Findings */

export function Announcer() {
  const findings = /** @type {import("./load.js").Resource<Findings>} */ (useResource("findings")).data.value;
  const before = useRef(/** @type {Map<string, string> | null} */ (null));
  const [said, say] = useState("");
  useEffect(() => {
    if (!findings) return;
    const open = new Map(findings.open.map((each) => [each.id, `${each.place}: ${each.what}`]));
    const old = before.current;
    before.current = open;
    if (!old || mode.value === "past") return;
    const news = [...open].filter(([id]) => !old.has(id)).map(([, text]) => `New finding. ${text}.`);
    const over = [...old].filter(([id]) => !open.has(id)).map(([, text]) => `Closed. ${text}.`);
    if (news.length || over.length) say(shown([...news, ...over].join(" ")));
  }, [findings]);
  const connection = mode.value === "lost" ? "The connection to the hub is lost." : "";
  return html`<div class="visually-hidden" role="status" aria-live="polite" id="announcer">${said} ${connection}</div>`;
}
