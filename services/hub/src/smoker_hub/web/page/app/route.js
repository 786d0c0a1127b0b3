// The address of the page: the view and its filters. So a link shows what its sender saw.
import { computed, signal } from "../vendor/ui.js";

/** The parameters that the page understands; the server refuses others (page/document.py has the same list). */
export const KNOWN = ["view", "name", "id", "from", "to", "plane", "family", "probe", "zone", "show", "at"];

/** The filters that stay when the reader goes to another view. */
const KEPT = ["plane", "family", "probe", "zone", "show", "at"];

/** @typedef {Record<string, string>} Query */

/** @returns {Query} */
function read() {
  /** @type {Query} */
  const found = {};
  for (const [key, value] of new URLSearchParams(location.search)) {
    if (KNOWN.includes(key) && value) found[key] = value;
  }
  return found;
}

export const query = signal(read());
export const view = computed(() => query.value.view ?? "");

/** The moment of the time machine in seconds since the epoch; null is now. */
export const at = computed(() => {
  const seconds = Number(query.value.at);
  return query.value.at && Number.isFinite(seconds) ? seconds : null;
});

/**
 * Return the address of a view with the present filters and `wanted`. An empty value removes a parameter.
 * @param {Query} wanted
 */
export function link(wanted) {
  const next = new URLSearchParams();
  /** @type {Query} */
  const kept = {};
  for (const key of KEPT) if (query.value[key]) kept[key] = query.value[key];
  for (const [key, value] of Object.entries({ ...wanted, ...keepUnset(kept, wanted) })) if (value) next.set(key, value);
  const text = next.toString();
  return text ? `?${text}` : "./";
}

/**
 * @param {Query} kept
 * @param {Query} wanted
 */
function keepUnset(kept, wanted) {
  return Object.fromEntries(Object.entries(kept).filter(([key]) => !(key in wanted)));
}

/**
 * Return the address of this view with changed filters.
 * @param {Query} changed
 */
export function here(changed) {
  return link({ ...query.value, ...changed });
}

/**
 * Go to an address of the page.
 * @param {string} address
 * @param {{ replace?: boolean }} [options]  `replace`: the address replaces the one before in the browser's history, as for a slider.
 */
export function go(address, { replace = false } = {}) {
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  if (arrive()) scrollTo(0, 0);
}

/** What the page is about: the view and its names. Filters, the moment and the chosen path of a pair are not. */
const subject = computed(() => {
  const { name, from, to, id } = query.value;
  return JSON.stringify([view.value, name, from, to, view.value === "finding" && id]);
});

/** Show what the address names. The focus goes to the title of a new page, and there, too, if its element is gone. */
function arrive() {
  const before = subject.value;
  query.value = read();
  const isNew = subject.value !== before;
  requestAnimationFrame(() => {
    if (isNew || document.activeElement === document.body) document.querySelector("h1")?.focus({ preventScroll: true });
  });
  return isNew;
}

/** Follow links of the page without loading it again. */
export function follow() {
  addEventListener("popstate", arrive);
  document.addEventListener("click", (event) => {
    const anchor = event.target instanceof Element ? event.target.closest("a") : null;
    const address = anchor?.getAttribute("href");
    if (!address || !(address.startsWith("?") || address === "./")) return;
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(address);
  });
}
