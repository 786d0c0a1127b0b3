"""Simulated probers: each has its own state, ten peers and two address families, and keeps probing its paths."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterator

import msgspec

from smoker_diagnosis.state import PEER, SERVICE, Heard, PathState, State, encode

PEERS, FAMILIES, PROBES = 10, ("ipv4", "ipv6"), ("tcp", "udp", "http")
INTERVAL, TIMEOUT = 30.0, 5.0  # seconds, as by default
LOOK = 5.0  # seconds from one look of the hub to the next, as by default
PORT_OF = {"tcp": 8080, "udp": 8081, "http": 8082}
FIRST = ipaddress.IPv4Address("127.1.0.0")


def name(number: int) -> str:
    """Return the name of a node."""
    return f"node-{number:05d}"


def address(number: int) -> str:
    """Return the loopback address of a prober."""
    return str(FIRST + number)


def number_of(host: str) -> int:
    """Return the number of the prober with this address."""
    return int(ipaddress.IPv4Address(host)) - int(FIRST)


class Prober:
    """One prober of `many`. Every path is probed once per interval, each at its own moment."""

    def __init__(self, number: int, many: int) -> None:
        self._number, self._chance = number, random.Random(number)
        self._many = many
        self._paths = list(self._all())
        self._due = [self._chance.uniform(-INTERVAL, 0.0) for _ in self._paths]  # when each was probed last
        self._changes = 0
        self._document = b""

    def _all(self) -> Iterator[PathState]:
        for step in range(1, min(PEERS, self._many - 1) + 1):
            peer = (self._number + step) % self._many
            for family in FAMILIES:
                for probe in PROBES:
                    yield PathState(PEER, name(peer), "pod", family, probe, f"zone-{peer % 3}", "success")
        for probe in PROBES:
            yield PathState(SERVICE, f"smoker-server:{PORT_OF[probe]}", "service", "", probe, "", "success")

    def document(self, now: float) -> tuple[str, bytes]:
        """Return the ETag and the state at `now`, in seconds since the start."""
        new = False
        for number, due in enumerate(self._due):
            if now - due >= INTERVAL:
                self._due[number] = due + INTERVAL
                self._paths[number] = self._probed(self._paths[number], due + INTERVAL)
                new = True
            elif not self._paths[number].attempts:
                self._paths[number] = self._probed(self._paths[number], due)
                new = True
        if new:
            self._changes += 1
            self._document = encode(self._state(now))
        return f'"{self._number}-{self._changes}"', self._document

    def _probed(self, path: PathState, at: float) -> PathState:
        sent = 30 if path.probe == "udp" else 0
        rtt = round(self._chance.uniform(1e-4, 1e-3), 6)
        return msgspec.structs.replace(
            path, at=round(1000.0 + at, 3), attempts=3, sent=sent, rtt_p50=rtt, rtt_p99=2 * rtt, **_large(path.probe)
        )

    def _state(self, now: float) -> State:
        heard = [
            Heard(name((self._number - step) % self._many), "pod", family, round(1000.0 + now - step, 3))
            for step in range(1, min(PEERS, self._many - 1) + 1)
            for family in FAMILIES
        ]
        return State(
            node=name(self._number),
            zone=f"zone-{self._number % 3}",
            at=round(1000.0 + now, 3),
            interval=INTERVAL,
            timeout=TIMEOUT,
            api="ok",
            peers=self._many - 1,
            paths=self._paths,
            heard=heard,
            echoes={probe: [name(0)] for probe in PROBES},
        )


def _large(probe: str) -> dict[str, object]:
    return {"large": "ok", "mtu": 1450} if probe == "udp" else {}
