"""The process of the hub: it collects and diagnoses as `smoker-hub` does, with the given probers.

    python -m tests.bench.hub.worker MANY LOOKS PORT[,PORT…]

It writes a line of JSON to stdout for each look, and one for the answers to its page.
"""

import smoker_hub.__main__  # noqa: F401  it patches, before all else

# isort: split
import json
import resource
import sys
from collections.abc import Mapping
from pathlib import Path

import gevent
from loguru import logger

from smoker_hub.collect import Address, Collector
from smoker_hub.hub import Hub, paths_of
from smoker_hub.web.stream import Stream
from tests.bench.hub import answers
from tests.bench.hub.world import LOOK, address, name

TIMEOUT = 2.0  # seconds, as by default


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


def main(many: int, looks: int, ports: list[int]) -> None:
    """Look every `LOOK` seconds, and write the cost of each look."""
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    places = Places(many, ports)
    hub = Hub(places, Collector(places, timeout=TIMEOUT), interval=LOOK, cluster="bench")
    stream = Stream(hub)
    hub.follow(stream.tell, stream.look)
    for _ in range(looks):
        begun, used = hub.clock.now(), cpu()
        hub.look()
        row = {
            "cpu": cpu() - used,
            "took": hub.clock.now() - begun,
            "rss": memory("Rss"),
            "pss": memory("Pss"),
            "heard": hub.collected.asked - len(hub.collected.silent),
            "paths": paths_of(hub.collected),
            "open": len(hub.incidents.open),
        }
        write(row)
        gevent.sleep(max(LOOK - (hub.clock.now() - begun), 0.0))

    write({"answers": answers.measure(hub, stream)})


def write(row: Mapping[str, object]) -> None:
    """Write a line of JSON."""
    sys.__stdout__.write(json.dumps(row) + "\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]


def cpu() -> float:
    """Return the CPU time of this process so far, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), [int(port) for port in sys.argv[3].split(",")])
