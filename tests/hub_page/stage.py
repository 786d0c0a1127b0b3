"""Stand-in probers in a process of their own: `python -m tests.hub_page.stage COUNT` prints PEERS for a hub and obeys.

`python -m tests.hub_page.stage COUNT plain` has no hostile name.
A line on stdin changes what they say: `break NODE`, `lose NODE [PACKETS]`, `cut NODE NODE`, `apart ZONE`, `old NODE`,
`heal`. Each is answered with `done`. The end of stdin ends it.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from urllib.parse import parse_qs, urlsplit

import gevent
import msgspec
from gevent.fileobject import FileObject

from smoker_diagnosis.state import Bandwidth, PathState, State
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub.stand_ins import Prober, probers

ZONES = ("eu-1a", "eu-1b", "eu-1c")
EVERY = 2.0  # seconds after which the probers have new results
HOUR, ROUND = 3_600, 30  # seconds that a prober keeps its results, and from one to the next
LOSING = 900  # seconds for which a path that loses packets has lost some
LONG = f"node-4-{'x' * 56}"  # 63 characters: as long as a label of Kubernetes can be
HOSTILE = "<img/src=x/onerror=alert(1)>\u202egnp.exe"


def names(count: int) -> list[str]:
    """Return `count` names; with more than three one is long, and the last one is hostile."""
    return [*nodes(count)[:-2], LONG, HOSTILE] if count > 3 else nodes(count)


def zone_of(node: str, everybody: list[str]) -> str:
    return ZONES[everybody.index(node) % len(ZONES)]


class Stage:
    """Simulated probers on `count` nodes, and their states."""

    def __init__(self, count: int, *, plain: bool) -> None:
        self.names = nodes(count) if plain else names(count)
        self.zones = {node: zone_of(node, self.names) for node in self.names}
        self.cluster = self._healthy()

    def _healthy(self) -> Cluster:
        cluster = Cluster(self.names, host=len(self.names) <= 12, zones=self.zones, peers=10)
        for link, states in cluster.paths.items():
            near = self.zones[link.source] == self.zones[link.target]
            for probe, path in states.items():
                share = hashlib.blake2b(f"{link}{probe}".encode(), digest_size=2).digest()
                rtt = (0.00022 if near else 0.00081) * (1 + int.from_bytes(share, "big") / 150_000)
                states[probe] = msgspec.structs.replace(path, rtt_p50=rtt, rtt_p99=rtt * 2.3)
        return cluster

    def obey(self, line: str) -> None:
        """Carry out a line."""
        verb, *about = line.split()
        cluster = self.cluster
        actions: dict[str, Callable[[], object]] = {
            "break": lambda: cluster.fail(lambda link: link.touches(*about)),
            "lose": lambda: self._lose(*about),
            "cut": lambda: cluster.fail(lambda link: link.between(about[0], about[1])),
            "apart": lambda: cluster.fail(
                lambda link: (self.zones[link.source] == about[0]) != (self.zones[link.target] == about[0])
            ),
            "old": lambda: self._age(*about),
            "heal": self._heal,
        }
        actions[verb]()

    def _lose(self, node: str, packets: str = "7") -> None:
        """Make a node lose this number of 30 packets."""
        self.cluster.lose(lambda link: link.touches(node) and link.plane == "pod", int(packets))

    def _age(self, node: str) -> None:
        """Make the last results of a node's prober ten minutes old."""
        for link, states in self.cluster.paths.items():
            if link.source == node:
                for probe, path in states.items():
                    states[probe] = msgspec.structs.replace(path, at=path.at - 600.0)

    def _heal(self) -> None:
        self.cluster = self._healthy()

    def states(self) -> list[State]:
        """Return the probers' present states."""
        return [
            msgspec.structs.replace(state, time=time.time(), bandwidth=self._bandwidth(state))
            for state in self.cluster.states()
        ]

    def _bandwidth(self, state: State) -> list[Bandwidth]:
        """Return a transfer to the next node, of twelve minutes ago."""
        following = self.names[(self.names.index(state.node) + 1) % len(self.names)]
        return [Bandwidth(following, "pod", "ipv4", state.at - 720.0, 117.6e6, 117.5e6, 3)]


def samples(prober: Prober, path: bytes) -> bytes | None:
    """Return the last hour of the path that a request for /api/v1/samples names, or None for another request."""
    url = urlsplit(path.decode())
    if url.path != "/api/v1/samples":
        return None
    name = [parse_qs(url.query, keep_blank_values=True)[key][0] for key in ("probe", "target", "plane", "family")]
    found = next(each for each in prober.state.paths if [each.probe, each.target, each.plane, each.family] == name)
    failing = found.at - found.since + ROUND if found.streak else 0.0
    rows = [_sample(found, age, failing) for age in range(HOUR - ROUND, 0, -ROUND)]
    return json.dumps({"version": 1, "samples": rows}).encode()


def _sample(path: PathState, age: int, failing: float) -> list[object]:
    """Return a result `age` seconds ago of a path that has failed for `failing` seconds. The round trips vary."""
    if age <= failing:
        return [age, path.last, None, 0, 0]
    sent = 10 if path.probe == "udp" else 0
    lost = 3 if path.lost and sent and age < LOSING and age % 4 == 0 else 0
    (chance,) = hashlib.blake2b(f"{path.target}{path.probe}{age}".encode(), digest_size=1).digest()
    return [age, "success", path.rtt_p50 * (0.9 + chance / 1_280), sent, lost]


def peers(found: Iterable[Prober]) -> str:
    """Return the value of PEERS that names the probers on pod networks."""
    return ",".join(f"{each.address.node}={each.address.host}:{each.address.port}" for each in found)


def main(count: int, *, plain: bool) -> None:
    """Play until stdin ends."""
    stage = Stage(count, plain=plain)

    def pods() -> list[State]:
        return [state for state in stage.states() if state.network == "pod"]

    with probers(pods()) as found:
        for prober in found:
            prober.page = partial(samples, prober)

        def show() -> None:
            for prober, state in zip(found, pods(), strict=True):
                prober.state = state

        def renew() -> None:
            while True:
                gevent.sleep(EVERY)
                show()

        gevent.spawn(renew)
        print(peers(found), flush=True)
        for line in FileObject(sys.stdin.fileno(), "rb"):
            stage.obey(line.decode())
            show()
            print("done", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), plain=sys.argv[2:] == ["plain"])
