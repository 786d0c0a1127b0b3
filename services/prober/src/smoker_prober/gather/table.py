"""What `once --mesh` prints of the gathered states: lines for a person, or an object for JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from smoker_common.log import escaped
from smoker_diagnosis import text
from smoker_diagnosis.state import PathState, State
from smoker_prober.gather.judge import Gathered
from smoker_prober.report import aligned

SHOWN = 200  # paths in the table: a longer one helps no reader
HEADER = ("FROM", "TO", "PROBE", "PLANE", "FAMILY", "OUTCOME", "FOR", "ERROR")


def as_object(found: Gathered) -> dict[str, Any]:
    """Return `{"ok", "probers", "findings", "missing", "failing", "explained_by_loss"}`.

    Each finding has its sentence as `text`. `explained_by_loss`: how many of the failing paths packet loss explains.
    """
    findings = [msgspec.to_builtins(each) | {"text": text.headline(each)} for each in found.findings]
    keys = [word.lower() for word in HEADER]
    return {
        "ok": found.ok,
        "probers": len(found.states),
        "findings": findings,
        "missing": list(found.missing),
        "failing": [dict(zip(keys, _row(*each), strict=True)) for each in [*found.failing, *found.waiting]],
        "explained_by_loss": found.by_loss,
    }


def as_text(found: Gathered) -> str:
    """Return the sentence first, then evidence and next steps, what is missing, the failing paths, and the counts."""
    first, findings = _first(found), found.findings
    lines = [*first, *(line for each in findings for line in text.lines(each))]
    lines += text.whole_sentences(found.missing, lines[0])
    if found.by_loss:
        lines.append(text.by_loss(found.by_loss))
    rows = [_row(*each) for each in [*found.failing, *found.waiting]]
    if rows:
        lines += ["", *aligned([HEADER, *rows[:SHOWN]])]
    if len(rows) > SHOWN:
        lines.append(f"… and {len(rows) - SHOWN} more.")
    if any(map(text.is_fault, findings)):  # otherwise the first sentence has the counts
        lines += [*[""] * bool(rows), f"{text.counted(findings, len(found.paths), len(found.states))}."]
    return "\n".join(escaped(line) for line in lines)


def _first(found: Gathered) -> list[str]:
    """Return the first sentence; nothing where it is the headline of a single fault, which follows."""
    paths, failing, waiting = len(found.paths), len(found.failing), len(found.waiting)
    if not found.counted and (failing or waiting or found.missing):
        return [text.not_whole(failing, waiting, found.missing, paths)]
    if len(found.findings) == 1 and text.is_fault(found.findings[0]):
        return []
    return [text.summary(found.findings, paths, len(found.states))]


def _row(state: State, path: PathState) -> tuple[str, ...]:
    lasts = text.duration(state.at - path.since) if path.streak else ""
    outcome = path.last or text.NO_RESULT
    shown = (state.node, path.target, path.probe, path.plane, path.family, outcome, lasts, path.error)
    return tuple(escaped(each) or "-" for each in shown)
