"""How soon a race of two DNS queries opens and closes, and whether packet loss that begins suddenly is called a race.

python -m tests.bench.diagnosis.races [--race 0.5] [--loss 0.05,0.2,0.4] [--times 100] [--without-checks]

A small mesh at the default interval, and the hub's own incidents with a look every 5 s. At 0 s a node begins to lose
one of two queries in this share of its look-ups by the Service; or it begins to lose this share of the packets of its
overlay. After five minutes it works again.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.resolvers import LAYER_RACE
from smoker_diagnosis.stats import percentile
from smoker_hub.incidents import Incidents
from tests.diagnosis.mesh import AT, TRAIN, Cluster, Link, nodes

from .dns_probers import DnsProber, Half
from .table import markdown
from .world import INTERVAL, PACKETS, SPREAD, TIMEOUT

NODES, PODS, VICTIM = 4, ("node-1", "node-2"), "node-1"
BEFORE, LASTS, AFTER = 20 * INTERVAL, 300.0, 200.0  # seconds
LOOKS = 5.0  # seconds from one look to the next
HEADER = (
    *(
        "fault",
        "share",
        "times",
        "a race opened at the node: times",
        "median s",
        "95 %",
        "closed after: median s",
        "95 %",
    ),
    "another place was called a race",
)


class Fault(NamedTuple):
    """A race, or loss of the overlay, at one node."""

    name: str
    share: float

    def _now(self, at: float) -> float:
        return self.share if 0 <= at < LASTS else 0.0

    def of_service(self, node: str, plane: str) -> Half:
        """Return the probability of a half answer by the Service: each pod answers as often as the other."""
        if self.name == "race":
            return lambda at: self._now(at) if node == VICTIM and plane == "service" else 0.0
        pods = [self.at_pod(node, pod) for pod in PODS]
        return lambda at: sum(each(at) for each in pods) / len(pods)

    def at_pod(self, node: str, pod: str) -> Half:
        """Return the probability of a half answer at a pod on the node `pod`: one of two packets is lost."""
        if self.name == "race" or node == pod or VICTIM not in (node, pod):
            return lambda _: 0.0
        return lambda at: 2 * self._now(at) * (1 - self._now(at))

    def loses(self, link: Link, at: float) -> float:
        """Return the share of the packets of a path that is lost."""
        overlay = link.crosses and link.plane != "host" and VICTIM in (link.source, link.target)
        return self._now(at) if self.name == "loss" and overlay else 0.0


class Train(NamedTuple):
    began: float
    known: float
    lost: int


def trains(chance: random.Random, fault: Fault, link: Link) -> list[Train]:
    """Return the trains of a path. One that loses packets ends after its timeout."""
    found, at = [], -BEFORE + chance.uniform(0, INTERVAL)
    while at < LASTS + AFTER:
        lost = sum(chance.random() < fault.loses(link, at) for _ in range(PACKETS))
        found.append(Train(at, at + SPREAD + (TIMEOUT if lost else 0.0), lost))
        at += INTERVAL
    return found


class Told(NamedTuple):
    """A race that opened or closed."""

    at: float
    kind: str
    place: tuple[str, ...]


def life(seed: int, fault: Fault, *, checks: bool) -> list[Told]:
    """Return what the hub says of races from before the fault until after it."""
    chance = random.Random(seed)
    cluster = Cluster(nodes(NODES), dns=PODS, services=False)
    probers = {
        (link.source, link.plane): DnsProber(
            chance,
            fault.of_service(link.source, link.plane),
            {pod: fault.at_pod(link.source, pod) for pod in PODS},
            -BEFORE,
            LASTS + AFTER,
            checks,
        )
        for link in cluster.to_dns
        if link.plane.endswith("service")
    }
    trained = {link: trains(chance, fault, link) for link in cluster.paths if link.crosses and fault.name == "loss"}
    incidents, told, now = Incidents(), list[Told](), -chance.uniform(0, LOOKS)
    while now < LASTS + AFTER and (now < LASTS + LOOKS or incidents.open):
        for link, state in cluster.to_dns.items():
            plane = {"pod": "service", "host-pod": "host-service"}.get(link.plane, link.plane)
            cluster.to_dns[link] = probers[link.source, plane].state(state, now, AT - now)
        for link, all_of_them in trained.items():
            last = [each for each in all_of_them if each.known <= now][-TRAIN // PACKETS :]
            lost = sum(each.lost for each in last)
            lost_at = max((each.began + AT - now for each in last if each.lost), default=0.0)
            cluster.paths[link]["udp"] = msgspec.structs.replace(
                cluster.paths[link]["udp"],
                at=last[-1].began + AT - now,
                sent=TRAIN,
                lost=lost,
                requests_lost=lost,
                lost_at=lost_at,
            )
        for change in incidents.look(diagnose(cluster.states()), now, news=True, a_round=INTERVAL + TIMEOUT):
            finding = change.incident.finding
            if finding.layer == LAYER_RACE:
                told.append(Told(now, change.kind, finding.scope.nodes))
        now += LOOKS
    return told


def row(fault: Fault, times: int, *, checks: bool) -> list[str]:
    """Return the row of a fault."""
    lives = [life(seed, fault, checks=checks) for seed in range(times)]
    right = [[each for each in told if each.place == (VICTIM,)] for told in lives]
    opened = sorted(min(each.at for each in told if each.kind == "open") for told in right if told)
    closed = sorted(told[-1].at - LASTS for told in right if told and told[-1].at > LASTS)
    others = sum(
        fault.name != "race" or each.place != (VICTIM,) for told in lives for each in told if each.kind == "open"
    )
    return [
        fault.name,
        f"{fault.share:g}",
        str(times),
        str(len(opened)),
        *_spread(opened),
        *_spread(closed),
        str(others),
    ]


def _spread(ordered: list[float]) -> Iterator[str]:
    return iter((f"{statistics.median(ordered):.0f}", f"{percentile(ordered, 0.95):.0f}") if ordered else ("-", "-"))


def main() -> int:
    """Run this bench."""
    parser = argparse.ArgumentParser(prog="tests.bench.diagnosis.races", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--race", default="0.5", help="shares of the look-ups that lose one of two queries, by commas")
    parser.add_argument("--loss", default="0.05,0.2,0.4", help="shares of packets that are lost, by commas")
    parser.add_argument("--times", type=int, default=100, help="how often each of them is tried")
    parser.add_argument("--without-checks", action="store_true", help="as if the probers did not ask again")
    chosen = parser.parse_args()
    faults = [
        Fault(name, float(each)) for name in ("race", "loss") for each in getattr(chosen, name).split(",") if each
    ]
    rows = [row(fault, chosen.times, checks=not chosen.without_checks) for fault in faults]
    print(markdown(HEADER, rows))
    return int(any(each[-1] != "0" for each in rows))


if __name__ == "__main__":
    sys.exit(main())
