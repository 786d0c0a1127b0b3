"""The prober as `smoker-prober run` runs it, but with many hosts: loopback addresses that the same three echoes have.

    python -m tests.bench.scale_worker HOSTS PROBE[,PROBE…]

All else is set by the prober's own variables.
"""

import smoker_prober.__main__  # noqa: F401  it patches and stands in, before all else

# isort: split
import ipaddress
import sys

from smoker_common import service
from smoker_prober.assembly import assemble
from smoker_prober.config.service import targets
from smoker_prober.peers.peer import STAMP
from smoker_prober.prober import Hosts
from smoker_prober.process import Settings
from smoker_prober.snapshot import SNAPSHOT
from smoker_prober.store.state import StateSink
from smoker_prober.store.windows import Memory

FIRST = ipaddress.IPv4Address("127.16.0.1")


def hosts(settings: Settings, number: int, probes: list[str]) -> Hosts:
    """So many hosts, each with a target for each of `probes`."""
    addresses = [str(FIRST + index) for index in range(number)]
    return {host: {probe: targets(settings, host)[probe] for probe in (*probes, STAMP)} for host in addresses}


def command(number: int, probes: list[str]) -> int:
    """Run until SIGTERM."""
    memory = Memory()
    return service.run(
        "smoker-prober",
        Settings,
        lambda settings, sockets, registry: assemble(
            settings,
            hosts(settings, number, probes),
            sockets,
            memory=memory,
            state=StateSink.of(settings),
            registry=registry,
        ),
        results=sys.stdout,
        pages={SNAPSHOT: memory.snapshot},
    )


if __name__ == "__main__":
    sys.exit(command(int(sys.argv[1]), sys.argv[2].split(",")))
