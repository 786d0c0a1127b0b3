"""The process of the hub: it collects, diagnoses and keeps a history as `smoker-hub` does, with the given probers.

    python -m tests.bench.hub.worker MANY LOOKS PORT[,PORT…] [SECONDS]

It looks every `SECONDS`, and writes a line of JSON to stdout for each look, and one for the answers to its page.
"""

from smoker_hub.__main__ import collect_seldom  # it patches, before all else

# isort: split
import json
import resource
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import gevent
from loguru import logger

from smoker_hub.collect import Address, Collector
from smoker_hub.history.reader import Reader
from smoker_hub.history.recorder import History
from smoker_hub.hub import Hub, paths_of
from smoker_hub.web.sources import Sources
from smoker_hub.web.stream import Stream
from tests.bench.hub import answers
from tests.bench.hub.world import LOOK, address, name

TIMEOUT = 2.0  # seconds, as by default
DRAIN = 30.0  # seconds in which the history is written at the end


class Places:
    """Probers at given addresses."""

    known = True

    def __init__(self, many: int, ports: list[int]) -> None:
        self._addresses = [
            Address(name(number), "pod", address(number), ports[number % len(ports)]) for number in range(many)
        ]

    def __call__(self) -> list[Address]:
        return self._addresses

    def start(self) -> None:
        """Do nothing: the addresses are fixed."""

    def close(self) -> None:
        """Do nothing: the addresses are fixed."""


def memory(what: str) -> int:
    """Return a line of this process's memory, in KiB."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))


def memory_now() -> dict[str, int]:
    """Return the memory of this process, in KiB."""
    return {"rss": memory("Rss"), "pss": memory("Pss")}


def main(many: int, looks: int, ports: list[int], folder: Path, seconds: float = LOOK) -> None:
    """Look every `seconds`, and write the cost of each look. The history is in `folder`."""
    collect_seldom()
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    places = Places(many, ports)
    hub = Hub(places, Collector(places, timeout=TIMEOUT), interval=seconds, cluster="bench")
    stream = Stream(hub)
    hub.follow(stream.tell, stream.look)
    history = History(hub, folder)
    hub.follow(history.tell, history.look)
    history.start()
    for _ in range(looks):
        begun, used = hub.clock.now(), cpu()
        hub.look()
        took, after = hub.clock.now() - begun, memory_now()
        gevent.sleep(max(seconds - (hub.clock.now() - begun), 0.0))
        written = memory_now()  # the history is written between two looks
        row = {
            "cpu": cpu() - used,
            "took": took,
            **{what: max(after[what], written[what]) for what in after},
            "heard": hub.collected.asked - len(hub.collected.silent),
            "paths": paths_of(hub.collected),
            "open": len(hub.incidents.open),
        }
        write(row)
    found = answers.measure(Sources(hub=hub, stream=stream, reader=Reader(history.path), addresses=places))
    end = memory_now()
    lost = history.drain(DRAIN) + history.counts["dropped"]
    write({"answers": found, **end, "history": history.path.stat().st_size, "lost": lost})


def write(row: Mapping[str, object]) -> None:
    """Write a line of JSON."""
    sys.__stdout__.write(json.dumps(row) + "\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]


def cpu() -> float:
    """Return the CPU time of this process so far, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    chosen = float(sys.argv[4]) if sys.argv[4:] else LOOK
    with tempfile.TemporaryDirectory() as kept:
        main(int(sys.argv[1]), int(sys.argv[2]), [int(port) for port in sys.argv[3].split(",")], Path(kept), chosen)
