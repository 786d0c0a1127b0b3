"""All probers of a cluster measure the bandwidth at once: `make e2e-bandwidth`.

By default a prober measures once an hour, at an instant of its own. So this starts turns beside the probers, in their
pods, with their settings and their Lease.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from tests.e2e.cluster import fresh_namespace, kubectl
from tests.e2e.hub import blamed, healthy
from tests.e2e.release import FAST, Release

pytestmark = pytest.mark.cluster

TURNS = 2  # of each prober
PORT = 8063
#: Runs in a prober's pod: `TURNS` turns with its Lease; writes when each transfer began and ended, and its rates.
SCRIPT = """
import smoker_prober.__main__, json, os, sys, time
from pathlib import Path
from smoker_kube.api import Api
from smoker_kube.token import Token
from smoker_prober.config.load import load_file
from smoker_prober.config.service import Ports
from smoker_prober.peers import bandwidth
from smoker_prober.peers.peer import Peer
from smoker_prober.settings import Settings, read

turns, port, addresses = int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
process = read(os.environ)[0].process
settings = Settings(process, load_file(os.environ, process.config_file).plan)
real, found = bandwidth.run, []

def run(*arguments):
    begun = time.time()
    result = real(*arguments)
    found.append((begun, time.time(), result.outcome.value, result.details.fields if result.details else {}))
    return result

bandwidth.run = run
ports = Ports(8080, 8081, 8082, 8062, port)
peers = [Peer(node, "", "pod", "", (address,), ports) for node, address in addresses.items()]
token = Token(Api.in_cluster(os.environ), process.namespace, process.bandwidth_lease, f"proof-{process.node_name}")
turn = bandwidth.Turns(settings, token, lambda: peers, lambda result: None, pause=lambda _: time.sleep(0.2))
for _ in range(turns):
    turn.turn()
print(json.dumps(found))
"""


class Transfer(NamedTuple):
    """One measurement. Dates are seconds since the epoch."""

    begun: float
    ended: float
    outcome: str
    fields: dict[str, object]


@pytest.fixture
def release(images: dict[str, object], helm: str, nodes: set[str]) -> Iterator[Release]:
    """A release that measures the bandwidth."""
    with fresh_namespace() as namespace:
        made = Release("smoker", namespace, helm, {**FAST, **images, "bandwidth.enabled": True})
        made.install()
        made.becomes("success", nodes)
        yield made


def test_one_pair_at_a_time(release: Release) -> None:
    """However many probers want to measure, one does: no two transfers overlap. Both directions have a rate.

    Meanwhile no probe fails, and the hub opens nothing.
    """
    healthy(release, 120)
    pods = {pod["spec"]["nodeName"]: pod for pod in release.pods("prober")}
    before, since = release.log("prober"), time.time()

    def measure(node: str) -> list[Transfer]:
        others = {other: pod["status"]["podIP"] for other, pod in pods.items() if other != node}
        run = ("python3", "-c", SCRIPT, str(TURNS), str(PORT), json.dumps(others))
        name = pods[node]["metadata"]["name"]
        said = kubectl("--namespace", release.namespace.name, "exec", name, "--", *run, seconds=150)
        return [Transfer(*each) for each in json.loads(said.splitlines()[-1])]

    with ThreadPoolExecutor(len(pods)) as pool:
        found = sorted(itertools.chain.from_iterable(pool.map(measure, pods)))
    assert len(found) == TURNS * len(pods)
    assert {each.outcome for each in found} == {"success"}
    assert all(one.ended <= other.begun for one, other in itertools.pairwise(found))
    print(f"{len(found)} transfers, one after the other; the last one: {found[-1]}")
    assert [each for each in release.all_results(before) if each.outcome != "success"] == []
    assert blamed(release, since) == []
