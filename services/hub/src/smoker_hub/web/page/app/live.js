// Keep the page up to date: read again when the hub's stream reports a change, or on a timer when there is no stream.
import { computed, effect, signal } from "../vendor/ui.js";
import { heard, lost, readAgain, take } from "./load.js";
import { at } from "./route.js";

const EVERY = 5_000; // milliseconds from one reading to the next without a stream
const SILENT = 20_000; // milliseconds without a byte after which the stream counts as broken
const GATHER = 150; // milliseconds for which changes are collected before one reading
const SELDOM = 10_000; // milliseconds after which everything is read again although the stream reports no change, because ages grow
const CHANGES = ["snapshot", "finding", "matrix"];

/** The browser's clock in milliseconds, updated every second. */
export const now = signal(Date.now());

/** Whether the stream is open. */
const streaming = signal(false);

/** @type {import("../vendor/ui.js").ReadonlySignal<"past" | "lost" | "stream" | "poll">} */
export const mode = computed(() => {
  if (lost.value !== null) return "lost";
  if (at.value !== null) return "past";
  return streaming.value ? "stream" : "poll";
});

/** Start to follow the hub. */
export function start() {
  let newest = 0; // when the stream last sent something
  let whole = 0; // when everything was last read
  let soon = 0; // the timer of the next reading
  let source = /** @type {EventSource | null} */ (null);

  const changed = () => {
    newest = whole = Date.now();
    soon ||= window.setTimeout(() => {
      soon = 0;
      readAgain();
    }, GATHER);
  };
  const open = () => {
    source?.close();
    newest = Date.now();
    source = new EventSource("api/v1/stream");
    source.onopen = () => {
      streaming.value = true;
      changed();
    };
    source.onerror = () => (streaming.value = false);
    for (const name of CHANGES) source.addEventListener(name, changed);
    source.addEventListener("summary", (event) => {
      newest = Date.now();
      take("summary", JSON.parse(event.data));
      if (newest - whole > SELDOM) changed();
    });
  };
  const close = () => {
    source?.close();
    source = null;
    streaming.value = false;
  };

  effect(() => (at.value === null ? open() : close()));
  setInterval(() => {
    now.value = Date.now();
    if (at.value === null && !document.hidden && source?.readyState === EventSource.CLOSED) open();
    if (streaming.value && now.value - newest > SILENT) close();
  }, 1_000);
  setInterval(() => {
    const needed = lost.value !== null || (at.value === null && !(streaming.value && now.value - heard.value < 2 * EVERY));
    if (needed && !document.hidden) readAgain();
  }, EVERY);
  document.addEventListener("visibilitychange", () => document.hidden || at.value !== null || readAgain());
}
