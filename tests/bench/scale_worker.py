"""The prober as `smoker-prober run` runs it, but with many hosts: loopback addresses of the same three echoes.

    python -m tests.bench.scale_worker HOSTS PROBE[,PROBE…]

All else is set by the prober's own variables.
"""

import smoker_prober.__main__  # noqa: F401  it patches and stands in, before all else

# isort: split
import ipaddress
import os
import sys

from prometheus_client import CollectorRegistry

from smoker_common import service
from smoker_common.work import Work
from smoker_prober.assembly import Assembly
from smoker_prober.config.load import load_file
from smoker_prober.config.service import Hosts
from smoker_prober.config.service import service as echoes_on
from smoker_prober.process import Process
from smoker_prober.settings import Settings
from smoker_prober.snapshot import SNAPSHOT
from smoker_prober.store import Store

FIRST = ipaddress.IPv4Address("127.16.0.1")


def hosts(settings: Settings, number: int, probes: list[str]) -> Hosts:
    """Return so many hosts, each with a target for each of `probes`."""
    addresses = [str(FIRST + index) for index in range(number)]
    return {host: tuple(each for each in echoes_on(settings, host) if each.probe in probes) for host in addresses}


def command(number: int, probes: list[str]) -> int:
    """Run until SIGTERM."""
    store: Store

    def build(process: Process, sockets: service.Sockets, registry: CollectorRegistry) -> Work:
        nonlocal store
        loaded = load_file(os.environ, process.config_file)
        fixed = hosts(Settings(process, loaded.plan), number, probes)
        assembly = Assembly(process, loaded, sockets, registry, fixed)
        store = assembly.store
        return assembly

    pages = {SNAPSHOT: lambda: store.snapshot().as_object}
    return service.run("smoker-prober", Process, build, results=sys.stdout, pages=pages)


if __name__ == "__main__":
    sys.exit(command(int(sys.argv[1]), sys.argv[2].split(",")))
