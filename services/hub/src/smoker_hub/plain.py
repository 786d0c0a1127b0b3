"""The API's records as text, for terminals and `kubectl get --raw`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from smoker_common.log import escaped
from smoker_hub.views import Findings, Node, Summary, View


def summary(found: Summary) -> str:
    """Return the sentence."""
    return _text([found.sentence])


def finding(found: View) -> str:
    """Return a finding with its evidence and the next steps."""
    return _text(_lines(found))


def findings(found: Findings) -> str:
    """Return the open findings in full, and a line for each that has closed."""
    lines = [line for each in found.open for line in _lines(each)] or ["No finding is open."]
    lines += [
        f"CLOSED {date(each.closed or each.last_seen)} {each.place}: {each.what}  id={each.id}" for each in found.recent
    ]
    return _text(lines)


def nodes(found: Sequence[Node]) -> str:
    """Return a table."""
    rows = [("NODE", "ZONE", "NETWORK", "PROBER", "PATHS", "FAILING", "FINDINGS")]
    for node in found:
        for prober in node.probers:
            word = f"silent for {prober.silent_seconds:.0f} s" if prober.state == "silent" else prober.state
            counts = (str(prober.paths), str(prober.failing))
            rows.append((node.node, node.zone or "-", prober.network, word, *counts, ",".join(node.findings) or "-"))
    shown = [[escaped(word) for word in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return _text(
        "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in shown
    )


def date(instant: float) -> str:
    """Return seconds since the epoch as UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(instant))


def _lines(found: View) -> Iterator[str]:
    since = f"  since {date(found.opened)}" if found.opened is not None else ""
    yield f"{found.headline}{since}  id={found.id}"
    yield from (f"  evidence: {each}" for each in found.evidence)
    yield from (f"  next: {each}" for each in found.next)


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{escaped(line)}\n" for line in lines)
