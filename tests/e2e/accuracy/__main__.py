"""`make e2e-accuracy`: break the cluster, row by row, and print what the diagnosis named and how soon.

The release must be installed already (make e2e-accuracy does it); E2E_FAULTS makes the faults.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.finding import Finding
from smoker_diagnosis.text import headline
from tests.e2e.accuracy.judge import Verdict, judge
from tests.e2e.accuracy.lab import Lab
from tests.e2e.accuracy.rows import ROWS, Row
from tests.e2e.cluster import Namespace, nodes
from tests.e2e.release import Release

LOOKS = 2  # in a row, before what they say holds
FOR = 45.0  # seconds to name a fault, and to stay silent where there is none
CLEAN = 90.0  # seconds to be healthy again
PAUSE = 1.0  # seconds between two looks


@dataclass(frozen=True)
class Outcome:
    """What a row came to."""

    row: Row
    word: str
    seconds: float | None  # until it was named right
    said: tuple[str, ...]


def one(row: Row, lab: Lab, patience: float = FOR) -> Outcome:
    """Make the fault of `row`, look until it is named or `patience` is over, and heal."""
    begun = time.monotonic()
    held, findings, worst = 0, list[Finding](), Verdict("unknown")
    try:
        row.make(lab)
        while time.monotonic() - begun < patience:
            findings = diagnose(lab.states())
            verdict = judge(row, lab, findings)
            held = held + 1 if verdict.word == "right" else 0
            if verdict.word == "wrong":
                worst = verdict
            if held >= LOOKS and row.right:
                took = time.monotonic() - begun
                word = "right" if worst.word != "wrong" else "right, after a wrong name"
                return Outcome(row, word, took, tuple(map(headline, [*findings, *worst.wrong])))
            time.sleep(PAUSE)
    finally:
        lab.heal()
    said = tuple(map(headline, [*worst.wrong, *findings]))
    if not row.right:
        return Outcome(row, "wrong" if worst.word == "wrong" else "right", None, said)
    return Outcome(row, "wrong" if worst.word == "wrong" else judge(row, lab, findings).word, None, said)


def await_health(lab: Lab, patience: float = CLEAN) -> bool:
    """Wait until nothing is found and every prober answers. Return whether that came."""
    until, clean = time.monotonic() + patience, 0
    while time.monotonic() < until:
        states = lab.states()
        whole = len(states) == 2 * len(lab.nodes) and all(state.peers == len(states) - 1 for state in states)
        failing = any(path.last not in ("", "success") or path.lost for state in states for path in state.paths)
        clean = clean + 1 if whole and not failing and not diagnose(states) else 0
        if clean >= LOOKS:
            return True
        time.sleep(PAUSE)
    return False


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as a Markdown table, and their sum."""
    lines = ["| fault | NIKA | verdict | seconds | what was said |", "|---|---|---|---|---|"]
    for each in outcomes:
        seconds = "" if each.seconds is None else f"{each.seconds:.0f}"
        said = "<br>".join(each.said) or "nothing"
        lines.append(f"| {each.row.name} | {each.row.nika} | {each.word} | {seconds} | {said} |")
    right = sum(each.word == "right" for each in outcomes)
    times = sorted(each.seconds for each in outcomes if each.seconds is not None)
    spread = f"; median {times[len(times) // 2]:.0f} s, longest {times[-1]:.0f} s" if times else ""
    return "\n".join([*lines, "", f"{right} of {len(outcomes)} right{spread}"])


def main() -> int:
    """Return 0 where every row is right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", default="smoker")
    parser.add_argument("--namespace", default="smoker")
    parser.add_argument("--row", default="", help="only rows whose name has this in it")
    chosen = parser.parse_args()
    lab = Lab(Release(chosen.release, Namespace(chosen.namespace), "helm"), nodes())
    outcomes = []
    for row in ROWS:
        if chosen.row not in row.name:
            continue
        if not await_health(lab):
            print(
                f"not healthy before {row.name}: {[headline(each) for each in diagnose(lab.states())]}", file=sys.stderr
            )
        outcomes.append(one(row, lab))
        print(
            f"{row.name}: {outcomes[-1].word} {outcomes[-1].seconds or 0:.1f} s {outcomes[-1].said}",
            file=sys.stderr,
            flush=True,
        )
    print(table(outcomes))
    return 0 if all(each.word == "right" for each in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
