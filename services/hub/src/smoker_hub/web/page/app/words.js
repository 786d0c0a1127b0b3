// Write numbers, times and names as people read them.

/** The severities, the gravest first. */
export const GRAVITY = ["critical", "warning", "info"];

/**
 * Return seconds in words: `45 s`, `12 min`, `3 h`, `2 d`.
 * @param {number} seconds
 */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return `${Math.round(whole / 60)} min`;
  return whole < 172800 ? `${Math.round(whole / 3600)} h` : `${Math.round(whole / 86400)} d`;
}

/**
 * Return an instant in the browser's time zone, with the date if it is not today.
 * @param {number} instant  Seconds since the epoch.
 */
export function clock(instant) {
  const date = new Date(instant * 1000);
  const time = date.toLocaleTimeString("en-GB");
  return date.toDateString() === new Date().toDateString() ? time : `${date.toLocaleDateString("en-CA")} ${time}`;
}

/**
 * Return a round-trip time: `0.41 ms`.
 * @param {number} seconds
 */
export function rtt(seconds) {
  const ms = seconds * 1000;
  return `${digits(ms)} ms`;
}

/** @param {number} ms */
export function digits(ms) {
  return ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms.toFixed(2);
}

/**
 * Return a bandwidth: `941 Mbit/s`, `9.41 Mbit/s`.
 * @param {number} rate  Bytes per second.
 */
export function megabits(rate) {
  return `${digits((rate * 8) / 1e6)} Mbit/s`;
}

/**
 * Return a share of packets: `12 %`, `0.4 %`.
 * @param {number} ratio
 */
export function percent(ratio) {
  const value = ratio * 100;
  return `${value >= 1 ? Math.round(value) : value.toFixed(1)} %`;
}

/**
 * Return a count with its noun: `1 path`, `2 paths`.
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
export function counted(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** Characters that change the order of others, or that are invisible. */
// eslint-disable-next-line no-control-regex
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/**
 * Return a name from the cluster with hidden characters as escapes.
 * @param {string} name
 */
export function shown(name) {
  return name.replace(HIDDEN, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/**
 * Return names without the domain that all of them share.
 * @param {string[]} names
 */
export function shortened(names) {
  const first = names[0] ?? "";
  const dot = first.indexOf(".");
  const domain = dot > 0 ? first.slice(dot) : "";
  const shared = domain && names.length > 1 && names.every((name) => name.endsWith(domain) && name.length > domain.length);
  return names.map((name) => shown(shared ? name.slice(0, -domain.length) : name));
}

/**
 * Return a sentence with a capital letter, unless it begins with a name: names contain digits, dots or dashes, or are followed by a colon.
 * @param {string} text
 */
export const capital = (text) => (/^[a-z]+[ ,]/.test(text) ? text[0].toUpperCase() + text.slice(1) : text);

const PLANES = /** @type {Record<string, string>} */ ({
  pod: "pod to pod", host: "node to node", "pod-host": "pod to node", "host-pod": "node to pod",
  service: "pod to Service", "host-service": "node to Service", other: "pod to target", "host-other": "node to target",
});
const OUTCOMES = /** @type {Record<string, string>} */ ({
  success: "works", timeout: "no answer", refused: "refused at once", unreachable: "unreachable", reset: "connection reset",
  resolve_error: "name resolution fails", tls_error: "TLS fails", bad_reply: "wrong answer",
  mtu: "large packets are lost", local_error: "the prober itself failed", "": "no result yet",
});

/** @param {string} name */
export const plane = (name) => PLANES[name] ?? shown(name);
/** @param {string} name */
export const outcome = (name) => OUTCOMES[name] ?? shown(name);
/** @param {string} name */
export const family = (name) => ({ ipv4: "IPv4", ipv6: "IPv6" })[name] ?? shown(name);
