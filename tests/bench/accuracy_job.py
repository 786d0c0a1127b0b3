"""The messages between the bench and the prober that it measures: lines of JSON between two processes."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

PORTS = {"tcp": 8080, "udp": 8081, "train": 862, "dns": 53, "tls": 443}  #: of the far end, by probe
NAME = "bench.example."  #: in the far end's DNS and in its certificate
GO = "go\n"  #: the word to begin


@dataclass(frozen=True)
class Job:
    """A job for the prober. Each probe has an address of its own, by which the capture recognizes it.

    The first address is for warming up and not among the results.
    """

    probe: str  #: a key of `PORTS`
    addresses: list[str]
    together: int  #: so many at once; when all have ended, `pause` seconds, then the next
    pause: float
    timeout: float
    packets: int = 0  #: of a train
    spread: float = 0.0  #: of a train, seconds
    ca: str = ""  #: the file of the CA that the far end's certificate is from

    @property
    def port(self) -> int:
        """Return the port of the probed service."""
        return PORTS[self.probe]

    def dumps(self) -> str:
        """Return the job as one line."""
        return json.dumps(dataclasses.asdict(self) | {"port": self.port}) + "\n"

    @classmethod
    def loads(cls, line: str) -> Job:
        """Read the job from one line."""
        fields = json.loads(line)
        del fields["port"]
        return cls(**fields)


@dataclass(frozen=True)
class Probed:
    """One probe or train as the prober reports it. Times are in seconds."""

    address: str
    outcome: str
    duration: float = 0.0  #: of the whole probe, by the clock
    clock: float = 0.0  #: around what the truth is of: connect (TCP, TLS), send and wait (UDP, DNS)
    rtts: tuple[float, ...] = ()  #: reported: one, none where it failed, many of a train
    method: str = ""
    sent: int = 0  #: packets of a train
    error: str = ""

    def dumps(self) -> str:
        """Return the results as one line."""
        return json.dumps(dataclasses.asdict(self)) + "\n"

    @classmethod
    def loads(cls, line: str) -> Probed:
        """Read the results from one line."""
        fields = json.loads(line)
        return cls(**fields | {"rtts": tuple(fields["rtts"])})
