"""The result of a probe: frozen facts, without judgement."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from smoker_diagnosis.flows import Flows
from smoker_diagnosis.path_mtu import PathMtu
from smoker_diagnosis.train import Train
from smoker_outcome.outcome import Outcome as Outcome  # noqa: PLC0414  a part of every result
from smoker_prober.target import Target

OUT = "out"  # the direction from here to a peer

#: The steps of a probe, in order.
PHASES = ("resolve", "connect", "tls", "send", "wait", "transfer")
AFTER_CONNECT = frozenset(PHASES[PHASES.index("connect") + 1 :])


class Method(enum.StrEnum):
    """How a round-trip time was measured. The words stand in JSON lines and reports."""

    TCP_INFO = "tcp_info"  # the kernel's own RTT of the connection's handshake
    KERNEL = "kernel"  # the kernel's timestamps of the datagram sent and of its answer
    STAMP = "stamp"  # the same, less the time in the reflector (RFC 8762)
    CLOCK = "clock"  # a clock around the call: the kernel gave nothing


class Rtt(NamedTuple):
    """A round-trip time of the network: seconds, and the method that measured it."""

    seconds: float
    method: Method


class Expiry(NamedTuple):
    """When the certificate of a target expires: seconds since the epoch, and seconds from the probe until then."""

    at: float
    seconds: float


class KeptFlow(NamedTuple):
    """What the kept flow to a Service says: its source port, and since when it fails while fresh flows work."""

    port: int
    rounds: int = 0  # in a row
    seconds: float = 0.0  # from the first of them to the last


class Measure(NamedTuple):
    """A value of one path that its metrics show, by the name and the help text of a gauge."""

    name: str
    help: str
    value: float


@dataclass(frozen=True)
class Details:
    """What only one kind of probe finds. The probe has a subclass of it beside it, where it finds more than others."""

    @property
    def fields(self) -> dict[str, Any]:
        """Return it flat, for JSON, without what is not known."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name)) is not None}

    @property
    def of_success(self) -> dict[str, Any]:
        """Return what the line of a success shows of it."""
        return {}

    @property
    def of_failure(self) -> dict[str, Any]:
        """Return what the line of a failure shows of it."""
        return {}

    @property
    def shown(self) -> list[str]:
        """Return lines for the person who probed by hand."""
        return [f"{name.replace('_', ' ')}: {value}" for name, value in self.fields.items()]

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Return what the metrics show of it until a result that has measures of its own, or a success."""
        return ()

    @property
    def partly(self) -> bool:
        """Whether some of several queries that left together were answered, and others not."""
        return False

    @property
    def certificate(self) -> bool:
        """Whether the probe read the target's certificate."""
        return False

    @property
    def expiry(self) -> Expiry | None:
        """Return when the target's certificate expires, where that is soon."""
        return None


@dataclass(frozen=True)
class Result:
    """One probe. Durations are seconds by the monotonic clock, `start` is seconds since the epoch."""

    target: Target
    source: str  # the node it ran on
    start: float
    outcome: Outcome
    duration: float  # of all phases
    phases: Mapping[str, float] = field(default_factory=dict)  # seconds of each phase that began
    address: str = ""  # what the target's name resolved to; empty if it did not
    received: int = 0  # bytes of the answer
    error: str = ""  # what failed, for a person; empty on success
    rtt: Rtt | None = None  # of the network, by the best method available; None if nothing came back
    retransmits: int = 0  # segments that TCP sent again: loss that does not change the outcome
    details: Details | None = None  # what only this kind of probe finds
    train: Train | None = None  # what the train after a UDP probe found
    direction: str = ""  # OUT: packets to the peer are lost; empty: not known
    path_mtu: PathMtu | None = None  # what the large packets after a UDP probe found
    flows: Flows | None = None  # what packets from several source ports after a UDP probe found
    kept: KeptFlow | None = None  # what the kept flow after a UDP probe of a Service says
    began: float = 0.0  # when it began, in seconds of the monotonic clock
    offender: str = ""  # address of the router or host, not the target, that sent an ICMP error
    confirms: bool = False  # whether it repeats a probe that failed a moment ago; it does not count as a round

    def __post_init__(self) -> None:
        if self.duration < 0 or any(seconds < 0 for seconds in self.phases.values()):
            raise ValueError(f"a duration below 0: {self}")
        if unknown := set(self.phases) - set(PHASES):
            raise ValueError(f"no such phase: {', '.join(sorted(unknown))}")
        if self.rtt is not None and self.rtt.seconds < 0:
            raise ValueError(f"an RTT below 0: {self}")
        if self.outcome.ok == bool(self.error):
            raise ValueError(f"a failure has an error, and a success has none: {self}")

    @property
    def probe(self) -> str:
        """Return the name of the probe."""
        return self.target.probe

    def latency(self, kind: str) -> float:
        """Return the latency in seconds: for "network" the RTT where there is one, for "duration" the probe's time."""
        return self.rtt.seconds if self.rtt is not None and kind == "network" else self.duration

    @property
    def connected(self) -> bool:
        """Whether TCP connected: a phase came after the handshake."""
        return "connect" in self.phases and not self.phases.keys().isdisjoint(AFTER_CONNECT)

    @property
    def fields(self) -> dict[str, Any]:
        """The result flat, for JSON: durations in milliseconds, without what is not known."""
        flat: dict[str, Any] = {
            "node": self.source,
            "probe": self.probe,
            "target": str(self.target),
            **{name: value for name, value in self._where.items() if value},
            "outcome": self.outcome.value,
            "duration_ms": round(self.duration * 1000, 3),
        }
        flat |= {"rtt_ms": round(self.rtt.seconds * 1000, 3), "method": self.rtt.method.value} if self.rtt else {}
        flat |= {f"{name}_ms": round(seconds * 1000, 3) for name, seconds in self.phases.items()}
        flat |= self._train_fields
        flat |= {"mtu": self.path_mtu.allowed, "passes": self.path_mtu.passes} if self.path_mtu is not None else {}
        flat |= {"flows": self.flows.tried, "flows_failing": self.flows.failing} if self.flows is not None else {}
        if self.kept is not None and self.kept.rounds:
            flat |= {"kept_port": self.kept.port, "kept_failed": self.kept.rounds}
        flat |= {"retransmits": self.retransmits} if self.retransmits else {}
        flat |= self.details.fields if self.details is not None else {}
        flat |= {"direction": self.direction} if self.direction else {}
        flat |= {"confirm": True} if self.confirms else {}
        flat |= {"error": self.error} if self.error else {}
        return flat

    @property
    def _where(self) -> dict[str, str]:
        path = self.target.path
        return {"plane": path.shown_plane, "family": path.family, "zone": path.zone}

    @property
    def _train_fields(self) -> dict[str, Any]:
        train = self.train
        if train is None:
            return {}
        fields: dict[str, Any] = {"packets": train.sent}
        if train.loss_ratio is not None:
            fields["loss_ratio"] = round(train.loss_ratio, 4)
        if train.jitter is not None:
            fields["jitter_ms"] = round(train.jitter * 1000, 3)
        counts = ("requests_lost", "replies_lost", "delayed", "duplicates", "reordered", "unreadable")
        return fields | {name: getattr(train, name) for name in counts if getattr(train, name)}


def percent(ratio: float) -> str:
    """Return `ratio` as `0.0%` or `12.5%`."""
    return f"{ratio * 100:.1f}%"


def milliseconds(seconds: float) -> str:
    """Return `seconds` as `15ms`; below 10 ms with up to three decimals, as `0.214ms`."""
    value = round(seconds * 1000, 3)
    return f"{value:.0f}ms" if value >= 10 else f"{value:.3f}".rstrip("0").rstrip(".") + "ms"
