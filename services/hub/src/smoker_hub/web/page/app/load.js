// The page's answers from the API: one resource per address, read again as long as a view shows it.
import { signal, useEffect, useMemo, useRef } from "../vendor/ui.js";
import { at } from "./route.js";

const PATIENCE = 10_000; // milliseconds to wait for one answer
const SELDOM = 10_000; // milliseconds from one reading to the next of what is dear to read

/**
 * @template T
 * @typedef {object} Resource
 * @property {string} address
 * @property {import("../vendor/ui.js").Signal<T | null>} data  The last answer.
 * @property {import("../vendor/ui.js").Signal<string>} error  Why the API refused the last request; empty if it did not.
 * @property {import("../vendor/ui.js").Signal<number>} when  When the last answer came, in milliseconds of this browser's clock.
 * @property {number} users
 * @property {number} next  When it may be read again.
 * @property {boolean} busy
 * @property {boolean} again  Whether to read once more after the answer to the current request.
 */

/** @type {Map<string, Resource<any>>} */
const resources = new Map();

/** When the hub last answered, in milliseconds of this browser's clock. */
export const heard = signal(Date.now());
/** The time since which it has not answered, or null. */
export const lost = signal(/** @type {number | null} */ (null));

/**
 * Return the resource at an address of the API, at the moment that the time machine shows.
 * @template T
 * @param {string} path  Below api/v1/.
 * @param {Record<string, string | undefined>} [parameters]
 * @param {{ timeless?: boolean, seldom?: boolean }} [options]  `timeless`: the time machine does not change it. `seldom`: others than the hub must answer, too.
 * @returns {Resource<T>}
 */
export function useResource(path, parameters = {}, { timeless = false, seldom = false } = {}) {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) if (value) search.set(key, value);
  if (at.value !== null && !timeless) search.set("at", String(at.value));
  const text = search.toString();
  const address = `api/v1/${path}${text ? `?${text}` : ""}`;
  const resource = useMemo(() => known(address), [address]);
  useEffect(() => {
    resource.users++;
    if (resource.users === 1) void read(resource);
    if (seldom) resource.next = Date.now() + SELDOM;
    return () => {
      resource.users--;
      if (!resource.users) setTimeout(() => resource.users || resources.delete(address), PATIENCE);
    };
  }, [address]);
  return resource;
}

/**
 * Return a value, or the last one while there is none: a chart stays while the answer for the next minute comes.
 * @template T
 * @param {T | null} value
 */
export function useLast(value) {
  const last = useRef(value);
  if (value !== null) last.current = value;
  return last.current;
}

/** @param {string} address */
function known(address) {
  let found = resources.get(address);
  if (!found) {
    found = { address, data: signal(null), error: signal(""), when: signal(0), users: 0, next: 0, busy: false, again: false };
    resources.set(address, found);
  }
  return found;
}

/** Read again everything that a view shows. */
export function readAgain() {
  for (const resource of resources.values()) {
    if (!resource.users || resource.next > Date.now()) continue;
    if (resource.next) resource.next = Date.now() + SELDOM;
    void read(resource);
  }
}

/**
 * Use a document that the stream sent instead of reading it.
 * @param {string} path  Below api/v1/.
 * @param {any} body
 */
export function take(path, body) {
  const resource = known(`api/v1/${path}`);
  resource.data.value = body;
  resource.when.value = heard.value = Date.now();
  lost.value = null;
}

/** @param {Resource<any>} resource */
async function read(resource) {
  if (resource.busy) {
    resource.again = true;
    return;
  }
  resource.busy = true;
  do {
    resource.again = false;
    await once(resource);
  } while (resource.again && resource.users);
  resource.busy = false;
}

/** @param {Resource<any>} resource */
async function once(resource) {
  try {
    const answer = await fetch(resource.address, {
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(PATIENCE),
    });
    // The hub answers 502 as a problem when another server, such as Prometheus, does not answer it.
    const answered = answer.status < 500 || (answer.status === 502 && answer.headers.get("Content-Type")?.includes("problem+json"));
    if (!answered) throw new Error(`status ${answer.status}`);
    const body = await answer.json();
    if (answer.ok) {
      resource.data.value = body;
      resource.when.value = Date.now();
    }
    resource.error.value = answer.ok ? "" : String(body.detail ?? answer.statusText);
    heard.value = Date.now();
    lost.value = null;
  } catch {
    lost.value ??= Date.now();
  }
}
