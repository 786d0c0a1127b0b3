"""Words and numbers in sentences."""

from __future__ import annotations

FAMILIES = {"ipv4": "IPv4", "ipv6": "IPv6"}
PLANES = {"pod": "pod", "host": "node-to-node", "pod-host": "pod-to-node", "host-pod": "node-to-pod", "dns": "DNS"}
OUTCOMES = {
    "timeout": "no answer",
    "refused": "refused at once",
    "unreachable": "unreachable",
    "reset": "connection reset",
    "resolve_error": "name resolution fails",
    "tls_error": "TLS fails",
    "bad_reply": "wrong answer",
    "mtu": "large packets are lost",
    "success": "works",
}
ANSWERED = frozenset(("tls_error", "bad_reply"))  # outcomes of a probe that something answered


def duration(seconds: float) -> str:
    """Return seconds in words: `45 s`, `12 min`, `3 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def percent(share: float) -> str:
    """Return a share in per cent, with one digit after the point where it is small."""
    return f"{100 * share:.1f} %" if 0 < share < 0.1 else f"{100 * share:.0f} %"


def paths(count: int) -> str:
    """Return a number of paths."""
    return f"{count:,} path{'s' if count != 1 else ''}"


def verb(count: int, one: str, many: str) -> str:
    """Return the form that fits the number."""
    return one if count == 1 else many


def outcome(name: str) -> str:
    """Return how a probe ended."""
    return OUTCOMES.get(name, name)


def listed(words: list[str]) -> str:
    """Return words with commas and an "and"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
