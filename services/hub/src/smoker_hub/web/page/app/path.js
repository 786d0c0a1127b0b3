// All paths from one node to another; of one of them a chart and the history.
import { html } from "../vendor/ui.js";
import { useLast, useResource } from "./load.js";
import { Age, Name, NodeLink, Waiting } from "./parts.js";
import { PathTable } from "./path-table.js";
import { PathHistory } from "./history.js";
import { link, query } from "./route.js";
import { PathChart } from "./series.js";
import { Spans } from "./span.js";
import { counted, family, megabits, plane, shown } from "./words.js";

/** @typedef {import("./types.js").Path} Path */
/** @typedef {import("./types.js").Paths} Paths */

/** @param {{ from: string, to: string, id: string }} props  It shows one pair for all of its life: give it a key. */
export function PathView({ from, to, id }) {
  const filters = { plane: query.value.plane, family: query.value.family, probe: query.value.probe };
  const resource = /** @type {import("./load.js").Resource<Paths>} */ (useResource("paths", { from, to, ...filters }));
  const found = resource.data.value;
  const last = useLast(found); // the history stays, with the focus in it, while another moment is read
  const chosen = last?.paths.find((path) => path.id === id) ?? last?.paths[0];
  document.title = `${shown(from)} to ${shown(to)} · Smoker`;
  return html`
    <h1 tabindex="-1" class="title"><${Name} name=${from} /> <span class="soft">to</span> <${Name} name=${to} /></h1>
    <p class="soft facts"><${NodeLink} name=${from} /> · <${NodeLink} name=${to} /> · <a href=${link({ view: "path", from: to, to: from })}>the other direction</a></p>
    ${!found || resource.error.value ? html`<${Waiting} error=${resource.error.value} />` : html`
      ${!found.paths.length && html`<p class="note">No prober probes this pair${Object.values(filters).some(Boolean) ? " with these filters" : ""}. Not probed is neither good nor bad.</p>`}
      ${found.paths.length > 0 && html`<${PathTable} paths=${found.paths} when=${resource.when.value} caption=${`Paths from ${shown(from)} to ${shown(to)}`} ends=${false} />`}
      ${found.bandwidth?.map((each) => html`
        <p class="bandwidth">Bandwidth, ${plane(each.plane)}, ${family(each.family)}: <b>${megabits(each.rate)}</b><span class="soft">${each.retransmits > 0 && ` with ${counted(each.retransmits, "segment")} sent again`}, measured from <${Name} name=${each.measured_by} />, <${Age} seconds=${each.age} when=${resource.when.value} /> ago</span></p>`)}
      ${found.left_out > 0 && html`<p class="soft">${counted(found.left_out, "more path")} are not listed.</p>`}`}
    ${chosen && !resource.error.value && html`
        <section aria-labelledby="history"><h2 id="history">${chosen.probe.toUpperCase()}, ${plane(chosen.plane)}${chosen.family && `, ${family(chosen.family)}`}</h2>
          <${Spans} />
          <${PathChart} key=${`chart ${chosen.id}`} path=${chosen} />
          <${PathHistory} key=${chosen.id} id=${chosen.id} />
        </section>`}`;
}
