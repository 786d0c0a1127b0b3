// Small components that several views use.
import { html, useState } from "../vendor/ui.js";
import { now } from "./live.js";
import { LOOKS } from "./letters.js";
import { link } from "./route.js";
import { clock, duration, shown } from "./words.js";

/** @typedef {import("./types.js").Letter} Letter */

/** A name from the cluster, isolated from the direction of the text around it. @param {{ name: string }} props */
export const Name = ({ name }) => html`<bdi>${shown(name)}</bdi>`;

/** A link to a node's view. @param {{ name: string }} props */
export const NodeLink = ({ name }) => html`<a href=${link({ view: "node", name })}><${Name} name=${name} /></a>`;

/** The sign and word of a state. @param {{ state: Letter }} props */
export const State = ({ state }) => html`
  <span class="state ${LOOKS[state].name}"><span aria-hidden="true">${LOOKS[state].sign}</span> ${LOOKS[state].word}</span>`;

/** A time and how long ago it was. @param {{ instant: number }} props */
export const Since = ({ instant }) => {
  const iso = new Date(instant * 1000).toISOString();
  return html`<time datetime=${iso} title=${iso}>${clock(instant)}</time> (${duration(now.value / 1000 - instant)} ago)`;
};

/** A command with a button that copies it. @param {{ step: string }} props */
export function Command({ step }) {
  const [command, about = ""] = step.split(/ {3}/, 2);
  const [copied, setCopied] = useState("");
  /** @param {Event} event */
  const copy = async (event) => {
    const code = /** @type {HTMLElement} */ (event.currentTarget).parentElement?.querySelector("code");
    setCopied((await copyText(command, code ?? null)) ? "Copied" : "Press Ctrl-C");
    setTimeout(() => setCopied(""), 2_000);
  };
  return html`
    <div class="next">
      <code translate="no">${shown(command)}</code>
      <button type="button" class="copy" onClick=${copy} aria-label=${`${copied || "Copy"}: ${shown(command)}`}>${copied || "Copy"}</button>
      ${about && html`<span class="soft about">${shown(about.trim())}</span>`}
    </div>`;
}

/**
 * Copy a text. If the browser gives no access to the clipboard (a page over plain HTTP), select the text instead.
 * @param {string} text
 * @param {HTMLElement | null} element
 */
async function copyText(text, element) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    if (element) getSelection()?.selectAllChildren(element);
    return document.execCommand("copy");
  }
}

/** The text for an answer that has not come yet or that the API refused. @param {{ error: string }} props */
export const Waiting = ({ error }) =>
  error ? html`<p class="note warn" role="status">${shown(error)}.</p>` : html`<p class="soft" role="status">Loading …</p>`;

/**
 * The present age, in words, of something that was `seconds` old when it was read.
 * @param {{ seconds: number | null, when: number }} props
 */
export const Age = ({ seconds, when }) => html`${seconds === null ? "–" : duration(seconds + Math.max(0, now.value - when) / 1000)}`;
