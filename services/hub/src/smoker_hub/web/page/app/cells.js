// Make the matrix, rows of cells, from the API's columns.
import { LOOKS } from "./letters.js";

/** @typedef {import("./types.js").Columns} Columns */
/** @typedef {import("./types.js").Letter} Letter */
/** @typedef {{ from: number, to: number, state: Letter, attempts: number, failed: number, loss: number, rtt: number, age: number }} Cell */

/**
 * A matrix. `rows[from].get(to)` is a cell; `absent` says why a pair has none.
 * @typedef {object} Matrix
 * @property {string[]} names
 * @property {string[]} zones  The zone of each name; empty where rows are zones.
 * @property {Map<number, Cell>[]} rows
 * @property {Cell[]} cells
 * @property {number} leftOut
 * @property {string} zone  The zone that it is limited to; empty: all.
 * @property {boolean} sampled  Whether many of the pairs are not probed.
 */

const NATURAL = new Intl.Collator("en", { numeric: true });
const MOSTLY = 0.7; // share of probed pairs below which a matrix is mostly empty

/**
 * @param {Columns} columns
 * @returns {Matrix}
 */
export function matrixOf(columns) {
  const places = columns.names.map((_, place) => place).sort((one, two) => NATURAL.compare(columns.names[one], columns.names[two]));
  const moved = new Array(places.length); // new index of each name: the page sorts node-2 before node-10
  places.forEach((before, after) => (moved[before] = after));
  /** @type {Map<number, Cell>[]} */
  const rows = columns.names.map(() => new Map());
  /** @type {Cell[]} */
  const cells = [];
  let number = 0;
  columns.counts.forEach((count, row) => {
    const from = moved[row];
    for (const end = number + count; number < end; number++) {
      const cell = {
        from,
        to: moved[columns.to[number]],
        state: /** @type {Letter} */ (columns.state[number]),
        attempts: columns.attempts[number],
        failed: columns.failed[number] ?? 0,
        loss: columns.loss[number] ?? 0,
        rtt: columns.rtt[number],
        age: columns.age[number],
      };
      rows[from].set(cell.to, cell);
      cells.push(cell);
    }
  });
  const names = places.map((place) => columns.names[place]);
  const zones = places.map((place) => columns.zone_names[columns.zones[place]] ?? "");
  const pairs = names.length * (names.length - 1);
  return { names, zones, rows, cells, leftOut: columns.left_out, zone: "", sampled: names.length > 12 && cells.length < MOSTLY * pairs };
}

/**
 * Return the part of a matrix whose rows or columns are in a zone; an empty zone is everything.
 * @param {Matrix} matrix
 * @param {string} zone
 * @returns {Matrix}
 */
export function ofZone(matrix, zone) {
  if (!zone) return matrix;
  const kept = new Set(matrix.cells.filter((cell) => matrix.zones[cell.from] === zone || matrix.zones[cell.to] === zone));
  const used = new Set([...kept].flatMap((cell) => [cell.from, cell.to]));
  const places = matrix.names.map((_, place) => place).filter((place) => used.has(place));
  const moved = new Map(places.map((place, index) => [place, index]));
  /** @type {Map<number, Cell>[]} */
  const rows = places.map(() => new Map());
  const cells = [...kept].map((cell) => ({ ...cell, from: moved.get(cell.from) ?? 0, to: moved.get(cell.to) ?? 0 }));
  for (const cell of cells) rows[cell.from].set(cell.to, cell);
  return {
    ...matrix, rows, cells, zone,
    names: places.map((place) => matrix.names[place]),
    zones: places.map((place) => matrix.zones[place]),
  };
}

/**
 * Return in words why a pair has no cell.
 * @param {Matrix} matrix
 * @param {number} from
 * @param {number} to
 */
export function absent({ zone, zones, leftOut }, from, to) {
  if (zone && zones[from] !== zone && zones[to] !== zone) return "outside the zone";
  return leftOut ? "not listed" : "not probed";
}

/**
 * Order cells: the worst first.
 * @param {Cell} one
 * @param {Cell} two
 */
export function worse(one, two) {
  const rank = LOOKS[one.state].rank - LOOKS[two.state].rank;
  return rank || two.loss - one.loss || two.failed - one.failed || one.from - two.from || one.to - two.to;
}

/**
 * A node with its cells in both directions, the worst first.
 * @typedef {{ node: number, out: Cell[], into: Cell[], bad: number, rank: number }} Strip
 */

/**
 * Return one strip per node, the worst first.
 * @param {Matrix} matrix
 * @returns {Strip[]}
 */
export function stripsOf(matrix) {
  /** @type {Strip[]} */
  const strips = matrix.names.map((_, node) => ({ node, out: [...matrix.rows[node].values()], into: [], bad: 0, rank: 0 }));
  for (const cell of matrix.cells) strips[cell.to].into.push(cell);
  for (const strip of strips) {
    strip.out.sort(worse);
    strip.into.sort(worse);
    const both = [...strip.out, ...strip.into];
    strip.bad = both.filter((cell) => cell.state === "f" || cell.state === "p").length;
    const lossy = both.filter((cell) => cell.state === "l").length;
    const stale = both.filter((cell) => cell.state === "s").length;
    strip.rank = (strip.bad * 100 + lossy * 10 + stale) / Math.max(1, both.length) || (both.length || matrix.leftOut ? 0 : 0.5);
  }
  return strips.sort((one, two) => two.rank - one.rank || one.node - two.node);
}
