"""Measure a look at a large healthy mesh: the first look, and later ones in which each prober has some news.

python -m tests.bench.diagnosis.speed [NODES]
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Sequence

from msgspec.structs import replace

from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.gather import Evidence
from smoker_diagnosis.state import State, decode, encode

from .world import INTERVAL, PROBES, make

LOOKS = 6
EVERY = 5.0  # seconds from one look to the next: a sixth of the paths has news, as the hub sees it by default


def main(nodes: int = 5000) -> None:
    """Print the CPU time of each look, and of one that keeps nothing of the looks before it."""
    states = [decode(encode(state)) for state in make(nodes, 0).states]
    print(f"{nodes} nodes, {sum(len(state.paths) for state in states):,} paths")
    evidence = Evidence()
    for look in range(LOOKS):
        states = [later(state, look) for state in states]
        anew, kept = seconds(states, Evidence()), seconds(states, evidence)
        print(f"look {look + 1}: {kept * 1000:.0f} ms of CPU; without what is kept {anew * 1000:.0f} ms")


def later(state: State, look: int) -> State:
    """Return the state `EVERY` seconds later: the paths of every n-th target have been probed since."""
    share = round(INTERVAL / EVERY)
    paths = [
        replace(path, at=state.at + EVERY - 1) if number // len(PROBES) % share == look % share else path
        for number, path in enumerate(state.paths)
    ]
    return replace(state, at=state.at + EVERY, paths=paths)


def seconds(states: Sequence[State], evidence: Evidence) -> float:
    """Return the CPU seconds of a look."""
    gc.collect()
    begun = time.process_time()
    diagnose(states, evidence=evidence)
    return time.process_time() - begun


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
