"""Measure a look at a large healthy mesh: the first look, and later ones in which each prober has some news.

The hub reads each state when it arrives, and compares it with the one before. That is measured apart from the look.

python -m tests.bench.diagnosis.speed [NODES]
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Sequence

from msgspec.structs import replace

from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.evidence import Prober
from smoker_diagnosis.failures import Failures
from smoker_diagnosis.gather import Evidence
from smoker_diagnosis.news import News, news_of
from smoker_diagnosis.state import State, decode, encode

from .world import INTERVAL, PROBES, make

LOOKS = 6
EVERY = 5.0  # seconds from one look to the next: a sixth of the paths has news, as the hub sees it by default

AllNews = dict[Prober, News]


def main(nodes: int = 5000) -> None:
    """Print the CPU time of each look, of one that keeps nothing of the looks before it, and of reading the states."""
    states = [decode(encode(state)) for state in make(nodes, 0).states]
    print(f"{nodes} nodes, {sum(len(state.paths) for state in states):,} paths")
    evidence, failures = Evidence(), Failures()
    for look in range(LOOKS):
        before = states
        states, news, reading, comparing = read(before, look)
        anew, kept = seconds(states, {}, Evidence()), seconds(states, news, evidence)
        begun = time.process_time()
        failures.look(states, news)
        failed = time.process_time()
        del before  # the hub, too, keeps the states of the last look until the next one is over
        freeing = time.process_time() - failed
        print(
            f"look {look + 1}: {kept * 1000:.0f} ms of CPU; without what is kept {anew * 1000:.0f} ms. "
            f"Besides: reading the states {reading * 1000:.0f} ms, comparing each with the one before "
            f"{comparing * 1000:.0f} ms, finding what failed since {(failed - begun) * 1000:.0f} ms, "
            f"freeing the older ones {freeing * 1000:.0f} ms"
        )


def read(states: Sequence[State], look: int) -> tuple[list[State], AllNews, float, float]:
    """Read the next states, as the hub does. Return them, their news, and the CPU seconds of reading and comparing."""
    found: list[State] = []
    news: AllNews = {}
    reading = comparing = 0.0
    for before in states:
        document = encode(later(before, look))
        begun = time.process_time()
        state = decode(document, before)
        decoded = time.process_time()
        compared = news_of(before, state)
        comparing += time.process_time() - decoded
        reading += decoded - begun
        found.append(state)
        if compared is not None:
            news[state.node, state.network] = compared
    return found, news, reading, comparing


def later(state: State, look: int) -> State:
    """Return the state `EVERY` seconds later: the paths of every n-th target have been probed since."""
    share = round(INTERVAL / EVERY)
    paths = [
        replace(path, at=state.at + EVERY - 1) if number // len(PROBES) % share == look % share else path
        for number, path in enumerate(state.paths)
    ]
    return replace(state, at=state.at + EVERY, paths=paths)


def seconds(states: Sequence[State], news: AllNews, evidence: Evidence) -> float:
    """Return the CPU seconds of a look."""
    gc.collect()
    begun = time.process_time()
    diagnose(states, evidence=evidence, news=news)
    return time.process_time() - begun


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
