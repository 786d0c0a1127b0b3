// The states of cells and paths: word, look and rank of each. They differ by sign and text, not only by colour.
import { digits, duration, percent } from "./words.js";

/** @typedef {import("./types.js").Letter} Letter */
/** @typedef {import("./cells.js").Cell} Cell */
/** @typedef {{ name: string, word: string, sign: string, rank: number }} Look */

/** @type {Record<Letter | "-", Look>} */
export const LOOKS = {
  f: { name: "fail", word: "fails", sign: "✕", rank: 0 },
  p: { name: "part", word: "some paths fail", sign: "◐", rank: 1 },
  l: { name: "lossy", word: "loses packets or failed lately", sign: "▽", rank: 2 },
  s: { name: "stale", word: "stale", sign: "◷", rank: 3 },
  u: { name: "new", word: "no result yet", sign: "…", rank: 4 },
  o: { name: "ok", word: "works", sign: "✓", rank: 5 },
  "-": { name: "none", word: "not probed", sign: "", rank: 6 },
};

/**
 * Return the few characters that a cell of the table shows.
 * @param {Cell} cell
 */
export function brief(cell) {
  if (!cell.attempts && cell.state !== "s") return LOOKS[cell.state].sign; // for a past moment only the states are known
  const failed = cell.attempts > 999 ? percent(cell.failed / cell.attempts) : `${cell.failed}/${cell.attempts}`;
  if (cell.state === "f" || cell.state === "p") return `${LOOKS[cell.state].sign} ${failed}`;
  if (cell.state === "l") return `▽ ${cell.loss ? percent(cell.loss) : failed}`;
  if (cell.state === "s") return cell.age < 0 ? LOOKS.s.sign : duration(cell.age);
  if (cell.state === "u") return "…";
  return cell.rtt ? digits(cell.rtt / 1000) : "✓";
}

/**
 * Return a cell's state in words, without a full stop.
 * @param {Cell | undefined} cell
 */
export function told(cell) {
  if (!cell) return "not probed";
  const parts = [LOOKS[cell.state].word];
  if (cell.failed) parts.push(`${cell.failed} of ${cell.attempts} attempts failed`);
  if (cell.loss) parts.push(`${percent(cell.loss)} of the packets lost`);
  if (cell.rtt && cell.state !== "f") parts.push(`RTT ${digits(cell.rtt / 1000)} ms`);
  if (cell.age >= 0) parts.push(`${duration(cell.age)} old`);
  return parts.join(", ");
}
