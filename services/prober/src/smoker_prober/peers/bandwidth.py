"""When this prober measures the bandwidth to a peer: once per `every`, while it holds the cluster's token.

the node's own instant ─▶ the next peer ─▶ token ─▶ transfer ─▶ Result ─▶ line, metrics
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

import gevent
from gevent.event import Event
from loguru import logger

from smoker_common.work import BaseWork
from smoker_diagnosis.state import PEER
from smoker_kube.token import UNREADABLE, Token
from smoker_outcome.failure import reason
from smoker_prober.config.plan import Plan
from smoker_prober.peers.paths import family, plane
from smoker_prober.peers.peer import Peer
from smoker_prober.probes import run
from smoker_prober.probes.bandwidth import Options
from smoker_prober.result import Result
from smoker_prober.schedule import next_tick, phase
from smoker_prober.settings import Settings
from smoker_prober.target import Path, Target

TRIES = 20  # to take the token; together they outlast a holder that has died
PAUSE = (2.0, 6.0)  # seconds between two tries, by chance within these
TIMEOUT = 5.0  # seconds that the network may take of one transfer
LONGEST = 15.0  # seconds of a transfer by the clock: half of the time for which the token is kept


class Turns(BaseWork):
    """Measures a peer of `peers` at each instant of this node, and passes the result to `keep`."""

    def __init__(
        self,
        settings: Settings,
        token: Token,
        peers: Callable[[], Sequence[Peer]],
        keep: Callable[[Result], None],
        *,
        pause: Callable[[float], object] = gevent.sleep,
    ) -> None:
        self._process, self._plan = settings.process, settings.plan.bandwidth
        self._token, self._peers, self._keep, self._pause = token, peers, keep, pause
        self._changed = Event()  # the plan, since the last instant was computed
        self._logged = ""
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def set_plan(self, plan: Plan) -> None:
        """Measure by this plan from now on."""
        if plan.bandwidth != self._plan:
            self._plan = plan.bandwidth
            self._changed.set()

    def start(self) -> None:
        """Begin to wait for this node's instant."""
        self._greenlet = gevent.spawn(self._run)

    def retire(self) -> None:
        """Measure no longer. A token that is held lapses."""
        if self._greenlet is not None:
            self._greenlet.kill(block=False)

    def _run(self) -> None:
        while True:
            self._changed.clear()
            wait = self.due(time.time()) if self._plan.enabled else None
            if self._changed.wait(wait):
                continue
            try:
                self.turn()
            except Exception:
                logger.exception("measuring the bandwidth failed unexpectedly")
                self._pause(PAUSE[1])

    def due(self, now: float) -> float:
        """Return the seconds until this node's next instant. A restart moves none, so restarts measure no more."""
        every = self._plan.every
        return next_tick(now, every, phase(self._process.node_name, every)) - now

    def turn(self) -> None:
        """Measure the next peer, if there is one and the token can be taken."""
        peers = sorted(self._peers(), key=lambda peer: peer.node)
        if not peers:
            return
        peer = peers[int(time.time() / self._plan.every) % len(peers)]
        if not self._take():
            return
        try:
            with gevent.Timeout(LONGEST, TimeoutError(f"no end within {LONGEST:g} s")):
                self._keep(run(self._target(peer), self._process.node_name, TIMEOUT))
        except TimeoutError as late:
            logger.warning("a bandwidth measurement was given up", target=peer.node, cause=str(late))
        finally:
            self._give_back()

    def _target(self, peer: Peer) -> Target:
        address, own = peer.addresses[0], self._process.network
        path = Path(PEER, peer.node, plane(own, peer.network), family(address), peer.zone)
        options = Options(self._plan.bytes, self._plan.duration)
        return Target("bandwidth", address, peer.ports.bandwidth, path, options)

    def _take(self) -> bool:
        for _ in range(TRIES):
            try:
                if self._token.take():
                    self._logged = ""
                    return True
            except UNREADABLE as broken:
                self._tell(f"the bandwidth is not measured because the Lease cannot be used: {reason(broken, '')}")
                return False
            self._pause(random.uniform(*PAUSE))  # noqa: S311  no secret: it keeps clients apart
        logger.info("the bandwidth is not measured this time: other nodes measure theirs", tries=TRIES)
        return False

    def _give_back(self) -> None:
        try:
            self._token.give_back()
        except UNREADABLE as broken:
            self._tell(f"the Lease of the bandwidth cannot be released; it expires by itself: {reason(broken, '')}")

    def _tell(self, what: str) -> None:
        """Log each kind of failure once, until the Lease can be used again."""
        if what != self._logged:
            logger.warning(what)
            self._logged = what
