// Paths as a table: one row per path and probe.
import { html } from "../vendor/ui.js";
import { Age, NodeLink, State } from "./parts.js";
import { link, query } from "./route.js";
import { duration, family, outcome, percent, plane, rtt, shown } from "./words.js";

/** @typedef {import("./types.js").Path} Path */

/** @param {{ paths: Path[], when: number, caption: string, ends?: boolean }} props */
export const PathTable = ({ paths, when, caption, ends = true }) => html`
  <div class="wide"><table class="plain paths"><caption class="visually-hidden">${caption}</caption>
    <thead><tr>
      ${ends && html`<th scope="col">From</th><th scope="col">To</th>`}
      <th scope="col">Path</th><th scope="col">Family</th><th scope="col">Probe</th><th scope="col">State</th><th scope="col">Last result</th>
      <th scope="col" class="number">Failed</th><th scope="col" class="number">Lost</th><th scope="col" class="number">RTT p50</th><th scope="col" class="number">RTT p99</th><th scope="col" class="number">Age</th>
    </tr></thead>
    <tbody>${paths.map((path) => html`
      <tr key=${path.id} class=${path.id === query.value.id ? "chosen" : undefined}>
        ${ends && html`<td><${NodeLink} name=${path.source} /></td><td>${path.role === "peer" ? html`<${NodeLink} name=${path.target} />` : shown(path.target)}</td>`}
        <td>${plane(path.plane)}</td><td>${family(path.family) || "–"}</td>
        <td><a href=${link({ view: "path", from: path.source, to: path.target, id: path.id })} aria-label=${`${path.probe.toUpperCase()} history, ${plane(path.plane)}, ${family(path.family)}, ${shown(path.source)} to ${shown(path.target)}`}>${path.probe.toUpperCase()}</a></td>
        <td><${State} state=${path.state} /></td>
        <td>${outcome(path.outcome)}${path.failing_seconds > 0 && path.outcome !== "success" && html`<span class="soft"> for ${duration(path.failing_seconds)}</span>`}</td>
        <td class="number">${path.attempts ? `${path.failed}/${path.attempts}` : "–"}</td>
        <td class="number">${path.sent ? percent(path.lost / path.sent) : "–"}</td>
        <td class="number">${path.rtt_p50 ? rtt(path.rtt_p50) : "–"}</td><td class="number">${path.rtt_p99 ? rtt(path.rtt_p99) : "–"}</td>
        <td class="number"><${Age} seconds=${path.age} when=${when} /></td>
      </tr>`)}</tbody>
  </table></div>`;
