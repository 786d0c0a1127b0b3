"""Measure how the hub's history grows, and what it costs the event loop: `make bench-history`.

Each node probes ten peers in two families. A look every 5 s; in three of ten looks one path of one prober fails once.
"""

from gevent import monkey

monkey.patch_all()

import argparse
import random
import tempfile
import time
from pathlib import Path

import gevent
import msgspec

from smoker_diagnosis.state import State
from smoker_hub.changes import Changes
from smoker_hub.collect import Collected
from smoker_hub.history.recorder import History
from tests.diagnosis.mesh import Cluster
from tests.hub.stand_ins import ManualClock, hub_of

LOOK, FLAKES, DAY = 5.0, 0.3, 86_400.0


def states_of(count: int, chance: random.Random) -> list[State]:
    """Return the states of so many healthy nodes in three zones, with names as a cloud gives them."""
    names = [f"ip-10-0-{number // 256}-{number % 256}.internal" for number in range(count)]
    zones = {name: f"zone-{'abc'[number % 3]}" for number, name in enumerate(names)}
    states = Cluster(names, host=False, families=("ipv4", "ipv6"), zones=zones).states()
    return [
        msgspec.structs.replace(
            state, paths=[msgspec.structs.replace(path, rtt_p50=chance.uniform(1e-4, 2e-3)) for path in state.paths]
        )
        for state in states
    ]


def flaked(states: list[State], chance: random.Random) -> list[State]:
    """Return the states, in which one path may fail."""
    if chance.random() >= FLAKES:
        return states
    place = chance.randrange(len(states))
    paths = list(states[place].paths)
    which = chance.randrange(len(paths))
    paths[which] = msgspec.structs.replace(paths[which], last="timeout", failures={"timeout": 1})
    return [*states[:place], msgspec.structs.replace(states[place], paths=paths), *states[place + 1 :]]


def measure(count: int, minutes: int, folder: Path) -> str:
    """Return a row of the table."""
    chance, clock = random.Random(1), ManualClock()
    states, hub, changes = states_of(count, chance), hub_of([], clock), Changes()
    history = History(hub, folder)
    history.start()
    spent, looks = 0.0, int(minutes * 60 / LOOK)
    first = 0
    for _ in range(looks):
        clock.instant += LOOK
        hub.collected, hub.looked = Collected(states=flaked(states, chance), asked=count), clock.now()
        begun = time.perf_counter()
        history.look(list(changes.look(hub.collected)))
        spent += time.perf_counter() - begun
        while not history._idle.is_set():
            gevent.sleep(0.001)
        first = first or _pages(history)
    grown = _pages(history) - first
    history.drain(5.0)
    paths = sum(len(state.paths) for state in states)
    per_day = grown / (looks * LOOK) * DAY / 1e6
    return f"{count:>6} {paths:>8} {first / 1e6:>12.2f} {per_day:>12.1f} {1000 * spent / looks:>14.2f}"


def _pages(history: History) -> int:
    """Return the bytes of the used pages."""
    db = history._store._db
    assert db is not None
    (size,) = history._thread.call(lambda: db.execute("SELECT sum(pgsize) FROM dbstat").fetchone())
    return int(size)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", default="10,100,1000")
    parser.add_argument("--minutes", type=int, default=60)
    chosen = parser.parse_args()
    print(" nodes    paths  at first, MB  MB per day  ms of the loop a look")
    for count in map(int, chosen.nodes.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            print(measure(count, chosen.minutes, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
