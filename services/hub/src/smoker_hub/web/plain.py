"""The API's records as text, for terminals and `kubectl get --raw`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from smoker_common.log import escaped
from smoker_diagnosis.text import by_loss, duration, whole_sentences
from smoker_hub.web.past_views import Events
from smoker_hub.web.views import Bandwidth, Check, Findings, Matrix, Node, Path, Paths, Results, Summary, View

WIDEST = 40  # names of a matrix with one letter per cell
MBIT_10 = 1.25e6  # bytes per second, below which a rate is shown with three digits
LONGEST = 1_000  # lines of a matrix without
STATES = {"o": "works", "l": "loses packets or fails now and then", "p": "partly fails", "f": "fails", "s": "stale"}
STATES |= {"u": "no result"}


def summary(found: Summary) -> str:
    """Return the sentence."""
    return _text([found.sentence])


def finding(found: View) -> str:
    """Return a finding with its evidence and the next steps."""
    return _text(_lines(found))


def check(found: Check) -> str:
    """Return the sentence, the findings in full, what is missing, and a table of the failing paths."""
    lines = [found.sentence, *(line for each in found.findings for line in _lines(each))]
    lines += whole_sentences(found.missing, found.sentence)
    lines += [by_loss(found.explained_by_loss)] * (found.explained_by_loss > 0)
    if found.failing:
        lines += ["", *_path_table(found.failing)]
    return _text([*lines, *([f"{found.left_out} more paths are left out."] if found.left_out else [])])


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
    return _text(_table(rows))


def matrix(found: Matrix) -> str:
    """Return one letter per cell, or, if that is too wide, one line per cell that does not work."""
    if not found.names:
        return _text(["No path is known."])
    rows, cell = [list[str]() for _ in found.names], 0
    lines = list[tuple[str, ...]]()
    for row, count in enumerate(found.counts):
        letters = ["-"] * len(found.names)
        for number in range(cell, cell + count):
            to, letter = found.to[number], found.state[number]
            letters[to] = letter
            if letter != "o":
                share = f"{found.failed.get(number, 0)} of {found.attempts[number]} failed"
                lines.append((found.names[row] or "-", found.names[to] or "-", STATES[letter], share))
        rows[row], cell = letters, cell + count
    more = [f"{found.left_out} more cells are left out."] if found.left_out else []
    if len(found.names) > WIDEST:
        return _text([*_table([("FROM", "TO", "STATE", "ATTEMPTS"), *lines[:LONGEST]]), *more])
    heads = [str(number) for number in range(1, len(found.names) + 1)]
    table = [("", "FROM", *heads)]
    table += [(head, name or "-", *letters) for head, name, letters in zip(heads, found.names, rows, strict=True)]
    legend = ", ".join(f"{letter} {word}" for letter, word in STATES.items())
    absent = "- not probed or left out" if found.left_out else "- not probed"
    return _text([*_table(table), f"Columns are numbered as rows. {legend}, {absent}", *more])


def paths(found: Paths) -> str:
    """Return a table of the paths, the worst first, and a line for each measured bandwidth."""
    table = _path_table(found.paths) if found.paths else ["No path is known."]
    more = [f"{found.left_out} more paths are left out."] if found.left_out else []
    return _text([*table, *more, *map(_bandwidth, found.bandwidth)])


def _bandwidth(found: Bandwidth) -> str:
    again = f", {found.retransmits} segments sent again" if found.retransmits else ""
    where = f"{found.source} to {found.target}, {found.plane}, {found.family}"
    rate = f"{found.rate * 8 / 1e6:.3g}" if found.rate < MBIT_10 else f"{found.rate * 8 / 1e6:.0f}"
    return f"Bandwidth {where}: {rate} Mbit/s{again}, measured {duration(found.age)} ago by {found.measured_by}"


def _path_table(found: Sequence[Path]) -> Iterator[str]:
    """Yield a table of paths as lines."""
    rows: list[tuple[str, ...]] = [
        ("FROM", "TO", "PLANE", "FAMILY", "PROBE", "STATE", "LAST", "FAILED", "LOST", "P50", "P99", "AGE")
    ]
    for each in found:
        counts = f"{each.failed}/{each.attempts}", f"{each.lost}/{each.sent}" if each.sent else "-"
        times = [f"{1000 * rtt:.3g} ms" if rtt else "-" for rtt in (each.rtt_p50, each.rtt_p99)]
        age = "-" if each.age is None else duration(each.age)
        where = (each.source, each.target, each.plane, each.family or "-", each.probe)
        rows.append((*where, STATES[each.state], each.outcome or "-", *counts, *times, age))
    yield from _table(rows)


def events(found: Events) -> str:
    """Return a line for each event, the newest first."""
    lines = [f"{date(each.at)}  {each.kind}  {each.text}" for each in found.events] or ["Nothing happened."]
    return _text([*lines, *([f"{found.left_out} older events are left out."] if found.left_out else [])])


def results(found: Results) -> str:
    """Return a table of the failures, the newest first, and what is missing."""
    rows: list[tuple[str, ...]] = [("AT", "FROM", "TO", "PLANE", "FAMILY", "PROBE", "OUTCOME", "CAUSE")]
    for each in found.results:
        where = (each.source, each.target, each.plane or "service", each.family or "-", each.probe)
        rows.append((date(each.at), *where, each.outcome, each.error))
    lines = list(_table(rows)) if found.results else ["No prober reports a failure."]
    if missing := found.asked - found.answered + found.not_asked:
        lines.append(f"{missing} more probers have failures and did not answer.")
    return _text([*lines, *([f"{found.left_out} older failures are left out."] if found.left_out else [])])


def date(instant: float) -> str:
    """Return seconds since the epoch as UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(instant))


def _lines(found: View) -> Iterator[str]:
    since = f"  since {date(found.opened)}" if found.opened is not None else ""
    over = f"  closed {date(found.closed)}" if found.closed is not None else ""
    worse = f"  escalations={found.escalations}" if found.escalations else ""
    yield f"{found.headline}{since}{over}{worse}  id={found.id}"
    yield from (f"  evidence: {each}" for each in found.evidence)
    yield from (f"  next: {each}" for each in found.next)


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the rows as lines with aligned columns."""
    shown = [[escaped(word) for word in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        yield "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{escaped(line)}\n" for line in lines)
