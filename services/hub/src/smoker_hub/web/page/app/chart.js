// The chart of a node's minutes, drawn by uPlot. It is a separate module, so a browser loads it only to show a chart.
import uPlot from "../vendor/uplot.js";

/** @typedef {import("./types.js").Rollups} Minutes */

const HEIGHT = 190; // pixels

style();

/** Load the style sheet of the library. */
function style() {
  const sheet = document.createElement("link");
  sheet.rel = "stylesheet";
  sheet.href = new URL("../vendor/uplot.css", import.meta.url).href;
  document.head.append(sheet);
}

/**
 * Draw the minutes into a box. Return a function that removes the chart.
 * @param {HTMLElement} box
 * @param {Minutes} minutes
 */
export function draw(box, minutes) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let chart = make(box, minutes);
  const again = () => {
    chart.destroy();
    chart = make(box, minutes);
  };
  const observer = new ResizeObserver(() => chart.setSize({ width: box.clientWidth, height: HEIGHT }));
  observer.observe(box);
  dark.addEventListener("change", again);
  return () => {
    observer.disconnect();
    dark.removeEventListener("change", again);
    chart.destroy();
  };
}

/** @param {HTMLElement} box @param {Minutes} minutes */
function make(box, { since, until, at, failing, rtt }) {
  const style = getComputedStyle(box);
  /** @param {string} name */
  const colour = (name) => style.getPropertyValue(name).trim();
  const [ink, line, bad, calm] = [colour("--soft"), colour("--line"), colour("--fail"), colour("--focus")];
  const font = `11px ${style.fontFamily}`;
  const axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  /** @type {import("../vendor/uplot.js").default.Options} */
  const options = {
    width: box.clientWidth,
    height: HEIGHT,
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    legend: { live: true },
    scales: { x: { range: [since, until] }, paths: { range: (_, __, high) => [0, Math.max(1, high)] }, ms: { range: (_, __, high) => [0, Math.max(0.1, high * 1.15)] } },
    axes: [
      { ...axis, grid: { show: false }, values: [[86_400, "{DD}.{MM}."], [3_600, "{HH}:{mm}"], [60, "{HH}:{mm}"]].map(([step, text]) => [step, text, null, null, null, null, null, null, 1]) },
      { ...axis, scale: "ms", size: 52, values: (_, values) => values.map((value) => `${value} ms`) },
      { ...axis, scale: "paths", side: 1, size: 46, grid: { show: false }, incrs: [1, 2, 5, 10, 20, 50, 100, 1_000, 10_000] },
    ],
    series: [
      { value: (_, moment) => (moment === null ? "–" : new Date(moment * 1000).toLocaleTimeString("en-GB")) },
      { label: "RTT, median", scale: "ms", stroke: calm, width: 1.5, points: { show: false }, value: (_, value) => (value === null ? "–" : `${value.toFixed(2)} ms`) },
      { label: "failing paths", scale: "paths", stroke: bad, fill: `color-mix(in srgb, ${bad} 18%, transparent)`, width: 1.5, points: { show: false }, paths: uPlot.paths.stepped?.({ align: 1 }), value: (_, value) => (value === null ? "–" : String(value)) },
    ],
  };
  return new uPlot(options, [at, rtt.map((value) => (value ? value / 1000 : null)), failing], box);
}
