"""What all probes share: an attempt, timed phase by phase, that becomes a Result and never an exception."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from loguru import logger
from urllib3.exceptions import HTTPError

from smoker_outcome.failure import BadReply, outcome_of, reason
from smoker_prober.network.deadline import EVENT_LOOP, Deadline, DeadlineExceeded
from smoker_prober.network.resolve import Address, resolve
from smoker_prober.probes.options import NoOptions, Url, of_query
from smoker_prober.result import Details, Outcome, Result, Rtt
from smoker_prober.target import Target

LACK = 0.25  # seconds for which a process may wait for a CPU: as much is usual on a busy machine
STARVED = 0.7  # share of the timeout: a prober that waits longer for a CPU cannot say that the network was silent


class Attempt:
    """One running probe: what it has done and found so far."""

    def __init__(self, target: Target, deadline: Deadline, never: Collection[int] = ()) -> None:
        """`never` has source ports from which an echo answers no datagram."""
        self.target = target
        self.deadline = deadline
        self.never = never
        self.rtt: Rtt | None = None
        self.retransmits = 0  # segments that TCP sent again
        self.phases: dict[str, float] = {}
        self.phase_name = ""
        self.address = ""
        self.received = 0
        self.details: Details | None = None  # what only this kind of probe finds
        self.offender = ""  # address, other than the target's, that sent an ICMP error
        self.stray = ""  # an answer to something else, while the right one may still come

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time what happens inside as phase `name`."""
        self.phase_name = name
        begun = time.monotonic()
        try:
            yield
        finally:
            self.phases[name] = self.phases.get(name, 0.0) + time.monotonic() - begun

    def resolve(self) -> Address:
        """Resolve the target's address, as a phase. Raises `ResolveError`, `DeadlineExceeded`."""
        with self.phase("resolve"):
            address = resolve(self.target, self.deadline)
        self.phase_name = ""  # a failure before the next phase is not the resolver's
        self.address = address.literal
        return address


@dataclass(frozen=True)
class Probe:
    """One protocol: how an attempt is made, and how a target of it is named."""

    #: Makes one attempt: returns if the right answer came, raises an exception that says why if not. It never retries.
    run: Callable[[Attempt], None]
    transport: Literal["tcp", "udp"]
    help: str
    options: type = NoOptions  # a frozen dataclass, made with `probes.options.option`
    default_port: int | None = None  # of a target without a port; `default_port` of the options counts before it
    default_host: Callable[[], str] | None = None  # of a target that names none
    schemes: tuple[str, ...] = ()  # of the URLs that name targets of this probe
    form: str = ""  # of these URLs, for a person
    #: Makes the options of a URL. None: the URL has no path, and the options are its query.
    from_url: Callable[[Url], Any] | None = None
    #: Imports what only targets with these options (None: the defaults) need, so that no attempt is timed with it.
    prepare: Callable[[Any], None] | None = None

    def usual_port(self, options: Any) -> int | None:
        """Return the port of a target with these options that names no port; None if it must name one."""
        usual: int | None = getattr(options, "default_port", self.default_port)
        return usual

    def of_url(self, url: Url) -> tuple[int, Any]:
        """Return the port and the options of a URL (None: the defaults). Raises ValueError."""
        if self.from_url is not None:
            options = self.from_url(url)
        elif url.path is None:
            options = of_query(self.options, url.query)
        else:
            raise ValueError(f"{url.scheme}:// has no path")
        port = self.usual_port(options) if url.port is None else url.port
        if port is None or not 1 <= port <= 65535:
            raise ValueError(f"{url.scheme}:// needs a port from 1 to 65535")
        return port, options


def run(probe: Probe, target: Target, source: str, timeout: float, *, never: Collection[int] = ()) -> Result:
    """Probe `target` once, with one deadline over all phases that gives the network `timeout` seconds.

    `source` is this node's name. `never` has source ports from which an echo answers no datagram.
    """
    attempt = Attempt(target, Deadline(timeout), never)
    outcome, error = Outcome.SUCCESS, ""
    start, begun, delayed = time.time(), time.monotonic(), EVENT_LOOP.delayed()
    try:
        probe.run(attempt)
    except Exception as caught:
        outcome, error = _judged(caught, attempt)
        starved = EVENT_LOOP.delayed() - delayed
        lacked = starved > max(STARVED * timeout, LACK) and not attempt.deadline.flooded
        if outcome is Outcome.TIMEOUT and lacked:  # lookups account for their own thread already
            # Either the network was late or this process: nothing can tell them apart.
            outcome, error = Outcome.LOCAL_ERROR, f"{error}; this prober waited {starved:.1f} s of them for a CPU"
    return Result(
        target=target,
        source=source,
        start=start,
        outcome=outcome,
        duration=time.monotonic() - begun,
        phases=attempt.phases,
        address=attempt.address,
        received=attempt.received,
        details=attempt.details,
        error=error,
        rtt=attempt.rtt if outcome.ok else None,
        retransmits=attempt.retransmits,
        began=begun,
        offender=attempt.offender if not outcome.ok else "",
    )


def _judged(caught: Exception, attempt: Attempt) -> tuple[Outcome, str]:
    """Return outcome and reason. Not part of `run`: a frame that keeps its exception keeps the probe's sockets open."""
    raised = BadReply(attempt.stray) if attempt.stray and isinstance(caught, DeadlineExceeded) else caught
    outcome = outcome_of(raised, attempt.phase_name)
    if outcome is Outcome.LOCAL_ERROR and not isinstance(raised, OSError | HTTPError):
        logger.exception("a probe raised an unexpected error")  # a defect of ours
    return outcome, reason(raised, attempt.phase_name)
