"""`make e2e-accuracy`: break the cluster row by row; print what the hub named, how soon, and how soon it closed.

The release must be installed already (make e2e-accuracy does that). E2E_FAULTS is the command that makes the faults.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace

from smoker_diagnosis.component import ALL
from smoker_diagnosis.finding import Finding
from smoker_diagnosis.state import State
from smoker_diagnosis.text import headline, is_fault
from tests.e2e.accuracy.goals import goals
from tests.e2e.accuracy.judge import LATE, Verdict, judge
from tests.e2e.accuracy.lab import Lab
from tests.e2e.accuracy.noise import noise
from tests.e2e.accuracy.page import PAGE, publish
from tests.e2e.accuracy.results import Outcome, table
from tests.e2e.accuracy.rows import EVERYWHERE, ROWS, Row
from tests.e2e.cluster import Namespace, nodes
from tests.e2e.release import Release
from tests.goals import goals_table
from tests.origin import origin

LOOKS = 2  # in a row that must be clean before a row begins
FOR = 45.0  # seconds to name a fault, and to stay silent where there is none
CLEAN = 90.0  # seconds to be healthy again
PAUSE = 1.0  # seconds between two looks
KNOWN = 3  # results of each path before the first row: failures of a new peer do not count in its first two rounds


def one(row: Row, lab: Lab, patience: float = FOR, *, noisy: bool = False) -> Outcome:
    """Make the fault of `row`, and ask the hub until it names it or `patience` times that of the row is over.

    Heal, and wait until the finding is closed.
    """
    begun, patience = time.monotonic(), patience * row.patience
    findings, took = list[Finding](), None
    verdict = worst = Verdict("unknown")
    try:
        row.make(lab)
        before = 0.0  # seconds until the last question whose answer was not right
        while (asked := time.monotonic() - begun) < patience:
            opened = lab.open()
            if opened is None:  # the hub cannot be asked, as while it moves to another node
                time.sleep(PAUSE)
                continue
            findings = [each.finding for each in opened]
            verdict = judge(row, lab, findings)
            worst = verdict if verdict.word == "wrong" else worst
            if verdict.word not in ("right", *LATE):
                before, took = asked, None
            elif row.right and took is None:
                took = max(before, asked - min(each.since for each in opened if is_fault(each.finding)))
            if verdict.word == "right" and row.right:
                break
            time.sleep(PAUSE)
        seen = _seen(lab) if row.right and verdict.word != "right" else ()
    finally:
        lab.heal()
    closed = _closed(lab, noisy)
    said = tuple(dict.fromkeys(map(headline, [*findings, *worst.wrong])))
    word = verdict.word
    if worst.word == "wrong":
        word = "right, after a wrong name" if word == "right" and row.right else "wrong"
    return Outcome(row, word, None if word == "wrong" else took, closed, said, verdict.lacks, seen)


def _seen(lab: Lab) -> tuple[str, ...]:
    """Return the failing paths that the probers know, and whether the hub answers."""
    failing = tuple(
        f"{state.node} ({state.network}) to {path.target} ({path.plane}, {path.family}), {path.probe}: "
        f"{path.last}, {path.streak} in a row"
        for state in lab.states()
        for path in state.paths
        if path.streak
    )
    return ("the hub answers" if lab.open() is not None else "the hub does not answer", *failing)


def _clear(lab: Lab, noisy: bool) -> bool:
    """Return whether the hub says that no fault is open, other than the loss of every node that noise is."""
    opened = lab.open()
    if opened is None:
        return False
    found = [each.finding for each in opened if is_fault(each.finding)]
    return all(noisy and each.kind == "loss" and each.scope.kind == ALL for each in found)


def _closed(lab: Lab, noisy: bool) -> float | None:
    """Return the seconds until nothing is open; None if something stays open."""
    begun = time.monotonic()
    while time.monotonic() - begun < CLEAN:
        if _clear(lab, noisy):
            return time.monotonic() - begun
        time.sleep(PAUSE)
    return None


def await_health(lab: Lab, patience: float = CLEAN, *, noisy: bool = False, results: int = 0) -> bool:
    """Wait until nothing is found and every prober answers. Return whether that happened.

    `noisy`: whether probes fail by chance all the time; then failed ones do not matter. `results`: those that each path
    must have.
    """
    until, clean = time.monotonic() + patience, 0
    while time.monotonic() < until:
        states = lab.states()
        whole = len(states) == 2 * len(lab.nodes) and all(
            state.peers == len(states) - 1 and all(path.past >= results for path in state.paths) for state in states
        )
        failing = not noisy and any(
            path.last not in ("", "success") or path.lost for state in states for path in state.paths
        )
        clean = clean + 1 if whole and not failing and _clear(lab, noisy) else 0
        if clean >= LOOKS:
            return True
        time.sleep(PAUSE)
    return False


def title(nodes: int, state: State, share: float) -> str:
    """Return what the table measures: the size of the cluster, the prober's pace, the noise."""
    pace = f"{nodes} nodes, an interval of {state.interval:g} s, a timeout of {state.timeout:g} s"
    return f"{pace}, {100 * share:g} % loss everywhere and single paths that break" if share else pace


def run(lab: Lab, rows: Iterable[Row], share: float, patience: float) -> Iterator[Outcome]:
    """Break the cluster row by row while every node loses `share` of its packets. Yield the outcomes."""
    with noise(lab, share) if share else nullcontext():
        rounds = KNOWN * max(state.interval for state in lab.states())
        await_health(lab, CLEAN + rounds, noisy=share > 0, results=KNOWN)
        for row in rows:
            if not await_health(lab, noisy=share > 0):
                left = [headline(each.finding) for each in lab.open() or ()]
                print(f"not healthy before {row.name}: {left}", file=sys.stderr)
            true = replace(row, also=(*row.also, EVERYWHERE)) if share else row
            outcome = one(true, lab, patience, noisy=share > 0)
            words = f"{row.name}: {outcome.verdict} {outcome.seconds or 0:.1f} s {outcome.said}"
            print("\n  ".join([words, *outcome.seen]), file=sys.stderr, flush=True)
            yield outcome


def arguments() -> argparse.Namespace:
    """Return the arguments of the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", default="smoker")
    parser.add_argument("--namespace", default="smoker")
    parser.add_argument("--row", default="", help="only rows whose name has this in it")
    parser.add_argument(
        "--noise",
        type=float,
        default=0.0,
        help="share of packets that every node loses; a path breaks now and then, too",
    )
    parser.add_argument("--write", action="store_true", help="put the table and the goals into docs/accuracy.md")
    parser.add_argument(
        "--patience", type=float, default=FOR, help="seconds to name a fault; some rows have a multiple"
    )
    chosen = parser.parse_args()
    if chosen.write and chosen.row:
        parser.error("--write needs all rows: those of --row would replace the whole table")
    return chosen


def main() -> int:
    """Return 0 if every row is right."""
    chosen, made = arguments(), origin("tests.e2e.accuracy", sys.argv[1:], PAGE)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))  # so that the cluster is healed
    lab = Lab(Release(chosen.release, Namespace(chosen.namespace), "helm"), nodes())
    state = lab.states()[0]
    outcomes = list(run(lab, [row for row in ROWS if chosen.row in row.name], chosen.noise, chosen.patience))
    reached = goals_table(goals(outcomes, state.interval, state.timeout))
    text = "\n\n".join([table(outcomes), reached, made])
    print(text)
    if chosen.write:
        publish(PAGE, title(len(lab.nodes), state, chosen.noise), text)
    return 0 if all(each.word == "right" for each in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
