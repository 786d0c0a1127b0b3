"""The lines of a prober, in their promised form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

TIME = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\]"
LATENCY = r"(?:[1-9]\d+|\d(?:\.\d{1,3})?)ms"  # below 10 ms up to three decimals, else none
TRAIN = rf" loss=\d+\.\d%(?: jitter={LATENCY})?"  # of the packets that follow a UDP probe
FAILURES = "timeout|refused|unreachable|reset|resolve_error|tls_error|mtu|bad_reply|local_error"
MORE = r"(?: status=\d{3}| mtu=\d+ passes=\d+| direction=(?P<direction>out))?"
WAY = r"(?: peer=(?P<peer>\S+))?(?: plane=(?P<plane>[a-z-]+))?(?: family=(?P<family>ipv[46]))?(?: zone=(?P<zone>\S+))?"
RESULT = re.compile(
    rf"{TIME} \[NODE:(?P<node>[^\]\s]+)\] \[(?P<probe>TCP|UDP|HTTP)\] "
    rf"(?:SUCCESS latency={LATENCY}(?P<train>{TRAIN})?|FAILED error=(?P<error>{FAILURES}){MORE}){WAY}"
)
FIELDS = r"(?: [a-z_]+=\S+)*"
TARGET = re.compile(
    rf"{TIME} \[NODE:(?P<node>[^\]\s]+)\] \[(?P<probe>[A-Z]+)\] "
    rf"(?:SUCCESS latency={LATENCY}|FAILED error=(?P<error>{FAILURES})){FIELDS} target=(?P<target>\S+){FIELDS}"
)  # of a target that is neither an echo service nor a peer
LOG = re.compile(rf"{TIME} \[(?:TRACE|DEBUG|INFO|SUCCESS|WARNING|ERROR|CRITICAL)\] \S.*")
LOCAL_ERROR = "local_error"  # of a probe that its prober itself could not make, most often for lack of CPU: no failure
PROBES = ("TCP", "UDP", "HTTP")  # in the order of a round


@dataclass(frozen=True)
class Line:
    """A line of a container, and when its runtime received it."""

    at: datetime
    text: str


@dataclass(frozen=True)
class Result:
    """A line with the result of a probe."""

    at: datetime
    node: str
    probe: str
    outcome: str  # "success", or the error's word
    peer: str = ""  # the node that was probed; empty: the echo services were
    plane: str = ""
    family: str = ""
    direction: str = ""

    @property
    def pair(self) -> tuple[str, str]:
        """Return source and target."""
        return self.node, self.peer


def result(line: Line) -> Result | None:
    """Read the result from a line; None for any other line."""
    found = RESULT.fullmatch(line.text)
    if not found:
        return None
    way = (found[name] or "" for name in ("peer", "plane", "family", "direction"))
    return Result(line.at, found["node"], found["probe"], found["error"] or "success", *way)
