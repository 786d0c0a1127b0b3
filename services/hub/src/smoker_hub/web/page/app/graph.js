// The graph of a finding: the nodes that it affects and the paths between them, at most 200 nodes.
import { html } from "../vendor/ui.js";
import { matrixOf } from "./cells.js";
import { useResource } from "./load.js";
import { LOOKS } from "./letters.js";
import { link } from "./route.js";
import { counted, shown } from "./words.js";

/** @typedef {import("./types.js").Columns} Columns */
/** @typedef {import("./types.js").Finding} Finding */
/** @typedef {import("./types.js").Letter} Letter */
/** @typedef {{ from: string, to: string, state: Letter }} Edge */
/** @typedef {{ name: string, zone: string, x: number, y: number, angle: number, accused: boolean }} Point */

const MOST = 200; // nodes
const NAMED = 60; // number of nodes up to which each has its name
const SIDE = 640; // units of the drawing
const WIDE = 780; // and of its width, with room for names at both sides
const LETTER = 7.5; // width of a letter

/** @param {{ found: Finding }} props */
export function Graph({ found }) {
  const scope = found.finding.scope;
  const one = scope.nodes.length === 1 ? scope.nodes[0] : undefined;
  const into = /** @type {import("./load.js").Resource<Columns>} */ (useResource("matrix", { to: one }));
  const out = /** @type {import("./load.js").Resource<Columns>} */ (useResource("matrix", { from: one }));
  if (!into.data.value || !out.data.value) return null;
  const { edges, zones } = edgesOf(found, [into.data.value, out.data.value]);
  if (!edges.length) return null;
  const accused = new Set([...scope.nodes, ...found.finding.one_of.flatMap((each) => each.nodes)]);
  const { kept, left } = pruned(edges, accused);
  const points = placed(kept, zones, accused);
  const bad = kept.filter((edge) => edge.state !== "o").length;
  const well = kept.length - bad;
  return html`
    <section aria-labelledby="graph"><h2 id="graph">Affected nodes and paths</h2>
      <p class="soft hint">${counted(points.size, "node")}, ${counted(bad, "pair")} with failing paths (red, with a cross)${well > 0 && `, ${well} that ${well === 1 ? "works" : "work"} (thin)`}.
        ${left > 0 && ` ${counted(left, "more node")} are not shown.`}</p>
      <svg class="graph" viewBox=${`${(SIDE - WIDE) / 2} 75 ${WIDE} ${SIDE - 150}`} role="group" aria-label=${`Graph of ${shown(found.place)}: ${counted(bad, "pair")} with failing paths`}>
        <g aria-hidden="true">
          ${kept.filter((edge) => edge.state === "o").map((edge) => html`<${Line} edge=${edge} points=${points} />`)}
          ${kept.filter((edge) => edge.state !== "o").map((edge) => html`<${Line} edge=${edge} points=${points} />`)}
        </g>
        ${[...points.values()].map((point) => html`<${Dot} point=${point} named=${points.size <= NAMED || point.accused} />`)}
      </svg>
    </section>`;
}

/**
 * Return the pairs that the finding affects: those of its evidence, and all pairs of its nodes or zones.
 * @param {Finding} found
 * @param {Columns[]} parts
 */
function edgesOf(found, parts) {
  const { scope } = found.finding;
  const [nodes, inZones] = [new Set(scope.nodes), new Set(scope.zones)];
  /** @type {Map<string, Edge>} */
  const edges = new Map();
  /** @type {Map<string, string>} */
  const zones = new Map();
  for (const columns of parts) {
    const matrix = matrixOf(columns);
    matrix.names.forEach((name, place) => zones.set(name, matrix.zones[place]));
    for (const cell of matrix.cells) {
      const [from, to] = [matrix.names[cell.from], matrix.names[cell.to]];
      const both = nodes.size === 2 ? nodes.has(from) && nodes.has(to) : nodes.has(from) || nodes.has(to);
      const zone = inZones.has(matrix.zones[cell.from]) && (inZones.size === 1 || inZones.has(matrix.zones[cell.to]));
      const bad = "fpl".includes(cell.state);
      if (from === to) continue; // it would be no line
      if (both || zone || (!nodes.size && !inZones.size && bad)) edges.set(`${from} ${to}`, { from, to, state: cell.state });
    }
  }
  const seen = found.finding.failing.map(({ source, target }) => ({ from: source, to: target, state: /** @type {Letter} */ ("f") }));
  const well = found.finding.working.map(({ source, target }) => ({ from: source, to: target, state: /** @type {Letter} */ ("o") }));
  for (const edge of [...seen, ...well]) if (edge.from !== edge.to && !edges.has(`${edge.from} ${edge.to}`) && zones.has(edge.to)) edges.set(`${edge.from} ${edge.to}`, edge);
  return { edges: [...edges.values()], zones };
}

/**
 * Keep at most MOST nodes: the accused ones, then those with failing pairs.
 * @param {Edge[]} edges
 * @param {Set<string>} accused
 */
function pruned(edges, accused) {
  const weight = new Map(/** @type {[string, number][]} */ ([...accused].map((name) => [name, 1e9])));
  for (const { from, to, state } of edges) for (const name of [from, to]) weight.set(name, (weight.get(name) ?? 0) + (state === "o" ? 1 : 1000));
  const used = new Set(edges.flatMap(({ from, to }) => [from, to]));
  const names = [...used].sort((one, two) => (weight.get(two) ?? 0) - (weight.get(one) ?? 0) || (one < two ? -1 : 1)).slice(0, MOST);
  const chosen = new Set(names);
  return { kept: edges.filter(({ from, to }) => chosen.has(from) && chosen.has(to)), left: used.size - chosen.size };
}

/**
 * Place the accused nodes in the middle and the others on a circle, ordered by zone. The same edges give the same picture.
 * @param {Edge[]} edges
 * @param {Map<string, string>} zones
 * @param {Set<string>} accused
 */
function placed(edges, zones, accused) {
  const names = [...new Set(edges.flatMap(({ from, to }) => [from, to]))];
  const inside = names.filter((name) => accused.has(name)).sort();
  const few = inside.length && inside.length <= 8 && inside.length < names.length;
  const rim = names.filter((name) => !few || !accused.has(name));
  rim.sort((one, two) => order(zones.get(one) ?? "", zones.get(two) ?? "") || order(one, two));
  /** @type {Map<string, Point>} */
  const points = new Map();
  const middle = SIDE / 2;
  rim.forEach((name, index) => ring(points, { name, index, of: rim.length, radius: 205, middle, zones, accused }));
  if (few) inside.forEach((name, index) => ring(points, { name, index, of: inside.length, radius: inside.length > 1 ? 60 : 0, middle, zones, accused }));
  return points;
}

/**
 * @param {Map<string, Point>} points
 * @param {{ name: string, index: number, of: number, radius: number, middle: number, zones: Map<string, string>, accused: Set<string> }} wanted
 */
function ring(points, { name, index, of, radius, middle, zones, accused }) {
  const angle = (2 * Math.PI * index) / of - Math.PI / 2;
  points.set(name, { name, zone: zones.get(name) ?? "", x: middle + radius * Math.cos(angle), y: middle + radius * Math.sin(angle), angle, accused: accused.has(name) });
}

/** @param {string} one @param {string} two */
const order = (one, two) => (one < two ? -1 : one > two ? 1 : 0);

/** A pair as a curve, so that both directions are visible. @param {{ edge: Edge, points: Map<string, Point> }} props */
function Line({ edge, points }) {
  const [from, to] = [points.get(edge.from), points.get(edge.to)];
  if (!from || !to || from === to) return null;
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const [x, y] = [(from.x + to.x) / 2 - dy * 0.08, (from.y + to.y) / 2 + dx * 0.08];
  const [mx, my] = [(from.x + to.x) / 4 + x / 2, (from.y + to.y) / 4 + y / 2];
  const bad = edge.state === "f" || edge.state === "p";
  return html`
    <path class=${`edge ${LOOKS[edge.state].name}`} d=${`M${from.x.toFixed(1)} ${from.y.toFixed(1)}Q${x.toFixed(1)} ${y.toFixed(1)} ${to.x.toFixed(1)} ${to.y.toFixed(1)}`} />
    ${bad && html`<path class="cross" d=${`M${(mx - 4).toFixed(1)} ${(my - 4).toFixed(1)}l8 8m0 -8l-8 8`} />`}`;
}

/** @param {{ point: Point, named: boolean }} props */
function Dot({ point, named }) {
  const right = Math.cos(point.angle) >= -0.01;
  const centre = point.accused && Math.hypot(point.x - SIDE / 2, point.y - SIDE / 2) < 100;
  const [x, y] = centre ? [point.x, point.y + 24] : [point.x + (right ? 12 : -12) * Math.abs(Math.cos(point.angle)), point.y + 14 * Math.sin(point.angle)];
  const whole = shown(point.name);
  const label = whole.includes("<") ? whole : whole.split(".")[0];
  const anchor = centre || Math.abs(Math.cos(point.angle)) < 0.2 ? "middle" : right ? "start" : "end";
  const room = WIDE / 2 - Math.abs(x - SIDE / 2); // to the nearer edge
  const half = Math.min(11, Math.floor((anchor === "middle" ? 2 * room : room) / LETTER / 2) - 1);
  const drawn = label.length > 2 * half + 2 ? `${label.slice(0, half)}…${label.slice(-half)}` : label;
  return html`
    <a href=${link({ view: "node", name: point.name })} aria-label=${`${drawn === whole ? "" : `${drawn}: `}${whole}${point.zone ? `, zone ${shown(point.zone)}` : ""}`}>
      <circle class=${point.accused ? "dot accused" : "dot"} cx=${point.x.toFixed(1)} cy=${point.y.toFixed(1)} r=${point.accused ? 9 : 5}><title>${shown(point.name)}</title></circle>
      ${named && html`<text class=${point.accused ? "accused" : undefined} x=${x.toFixed(1)} y=${(y + 4).toFixed(1)} text-anchor=${anchor}>${drawn}</text>`}
    </a>`;
}
