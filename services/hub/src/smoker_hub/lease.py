"""Which hub notifies: the one that holds a Lease. Where there is one replica, a rollout has two hubs for some seconds.

Each hub reads the Lease every `RENEW` seconds and the holder renews it. A hub takes the Lease over when the record has
not changed for `LASTS` seconds of its own clock (smoker_kube.lease). A holder that ends sends what waits, then gives
the Lease back, so that the next hub takes it within `RENEW` seconds.

A notification that is sent twice has the same id twice, and one that nobody sends is lost. So a holder that cannot
reach the API server keeps notifying, one that is cut off from the probers does so until another hub has the Lease, and
a hub that cannot write a Lease that nobody holds notifies without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

import gevent
from gevent.event import Event
from loguru import logger
from urllib3.exceptions import HTTPError

from smoker_common.clock import Clock
from smoker_common.work import BaseWork
from smoker_kube.api import Api, Refused, TooLarge
from smoker_kube.lease import CONFLICT, DEADLINE, LARGEST, Watched, document, holder_of, now, path
from smoker_kube.slices import of
from smoker_kube.standing import FORBIDDEN, NOT_FOUND, Standing, sentence, standing_of

RENEW = 2.0  # seconds between two reads, and between two renewals
LASTS = 10.0  # seconds without a change after which another replica takes the Lease over
SENT = "smoker/sent"  # the annotation with the memory of what was sent
INVALID = 422
SENDS = 2.0  # seconds for which a holder that ends waits at most until nothing waits to be sent

_UNREADABLE = (HTTPError, OSError, ValueError)


class Memory(Protocol):
    """What the holder leaves to the next one. It must not matter if it is lost.

    `transitions`: how often the Lease has changed hands. If it is another number than at the time of writing, a hub
    that knows no memory has held the Lease since.
    """

    def text(self, transitions: int) -> str:
        """Return what to write with each renewal."""

    def load(self, text: str, transitions: int, renewed: float) -> None:
        """Take in what the last holder wrote at the date `renewed`, empty if nothing. Anybody may have written it."""

    def lose(self) -> None:
        """Forget all, also what was taken in: another hub has got the Lease."""


class Lease(BaseWork):
    """Takes part in who holds the Lease `name`. `fit` returns whether this replica should hold it at all."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        name: str,
        identity: str,
        *,
        fit: Callable[[], bool] = lambda: True,
        memory: Memory | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._api, self._path, self._name, self._identity = api, path(namespace), name, identity
        self._clock, self._memory = clock or Clock(), memory
        self._fit, self._watched, self._began = fit, Watched(self._clock), self._clock.now()
        self._held = False
        self._free: bool | None = None  # whether nobody else held it when it was last read; None: it never was
        self._forbidden = False  # whether the account may not use the Lease
        self._logged = ""
        self._ending = Event()
        self._greenlet: gevent.Greenlet[[], None] | None = None
        #: Called before the Lease is given back: waits until what waits is sent, for so many seconds at most.
        self.before_release: Callable[[float], object] = lambda _seconds: None

    @property
    def held(self) -> bool:
        """Whether this replica notifies."""
        return self._held or self._forbidden

    def turn(self) -> None:
        """Read the Lease once; renew it or take it over where that is due."""
        try:
            with gevent.Timeout(DEADLINE, TimeoutError(f"no answer within {DEADLINE:g} s")):
                self._read_and_write()
        except Refused as refused:
            if refused.status != CONFLICT:  # else the next turn reads what the others write
                self._failed(refused)
        except _UNREADABLE as broken:
            self._failed(broken)

    def _read_and_write(self) -> None:
        try:
            self._turn()
        except Refused as refused:
            if refused.status not in (CONFLICT, INVALID):
                raise
            self._turn()  # another client wrote first: another replica, or Helm, which changes no more than a label

    def _turn(self) -> None:
        try:
            item = self._api.get(f"{self._path}/{self._name}", LARGEST)
        except Refused as refused:
            if refused.status != NOT_FOUND:
                raise
            item = {}
        holder = holder_of(item)
        self._watched.see(item)
        self._free = holder == self._identity or self._watched.is_free(LASTS)
        if not self._fit():
            if holder == self._identity:
                self._write(item, "")
                holder = ""
            self._hold(held=self._held and not holder)
        elif self._free:
            self._write(item, self._identity)
            self._hold(held=True)
        else:
            self._hold(held=False)
        self._forbidden = False
        self._answered()

    def _load(self, item: Mapping[str, Any], memory: Memory) -> None:
        text, spec = of(of(of(item, "metadata", dict), "annotations", dict), SENT, str), of(item, "spec", dict)
        try:
            date = datetime.fromisoformat(of(spec, "renewTime", str)).timestamp()
        except (ValueError, OverflowError):
            text, date = "", 0.0
        memory.load(text, int(of(spec, "leaseTransitions", int)), date)

    def _write(self, item: Mapping[str, Any], holder: str) -> None:
        """Write the Lease with this holder. Raises `Refused` where another replica wrote since it was read.

        A Lease that is missing is made with PUT: unlike POST, that needs the right to create this one name alone. Where
        another replica has made it since, the status is `INVALID`, because no version is given.
        """
        at = now()
        before = of(item, "spec", dict)
        changed = before.get("holderIdentity") != holder
        transitions = int(of(before, "leaseTransitions", int)) + (1 if changed and before else 0)
        spec = {
            **before,
            "holderIdentity": holder,
            "leaseDurationSeconds": int(LASTS),
            "renewTime": at,
            "acquireTime": at if changed else before.get("acquireTime", at),
            "leaseTransitions": transitions,
        }
        metadata = {**of(item, "metadata", dict)} if item else {"name": self._name}
        if self._memory is not None:
            if not self.held:
                self._load(item, self._memory)
            metadata["annotations"] = {**of(metadata, "annotations", dict), SENT: self._memory.text(transitions)}
        self._watched.see(self._api.replace(f"{self._path}/{self._name}", document(spec, metadata)), holder)

    def _hold(self, *, held: bool) -> None:
        if held != self._held:
            logger.info(f"{'this' if held else 'another'} hub now sends the notifications")
        self._held = held
        if not held and self._memory is not None:
            self._memory.lose()

    def _failed(self, broken: Exception) -> None:
        """Log each kind of failure once, until the API server answers again."""
        standing = standing_of(broken)
        self._forbidden = standing.status == FORBIDDEN
        if self._forbidden:
            line = (
                f"this pod's account may not use the Lease {self._name} (its Role is missing or not bound); "
                "each hub notifies, so two, as during a rollout, send everything twice"
            )
        else:
            unread = self._free is None and self._clock.now() - self._began >= LASTS
            if self._fit() and (self._free or unread):  # nobody is known to hold it
                self._hold(held=True)
            line = f"{self._why(broken, standing)}; the same replica keeps notifying"
        if line != self._logged:
            logger.warning(line, cause=str(broken) if isinstance(broken, TooLarge) else standing.cause)
            self._logged = line

    def _why(self, broken: Exception, standing: Standing) -> str:
        """Return the sentence on why the Lease cannot be used."""
        if isinstance(broken, TooLarge):
            return (
                f"the Lease {self._name} has more than {LARGEST // 1024} KiB and is not read; delete it, "
                "a hub makes it again"
            )
        if standing.status == INVALID:
            return (
                f"the API server does not accept the Lease {self._name}: LEASE_NAME is no valid name, "
                "or an admission policy denies it"
            )
        return sentence(standing.answering, standing.status, "Leases")

    def _answered(self) -> None:
        if self._logged:
            logger.info("the Lease can be used again")
            self._logged = ""

    def start(self) -> None:
        """Begin to take turns."""
        self._greenlet = gevent.spawn(self._run)

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self.turn()
            except Exception:
                logger.exception("renewing the Lease failed unexpectedly")
            self._ending.wait(RENEW)
        self._release()

    def retire(self) -> None:
        """Give the Lease back as soon as what waits is sent, so that the next hub need not wait until it expires."""
        self._ending.set()

    def _release(self) -> None:
        if self._held:
            self.before_release(SENDS)
            self._fit = lambda: False
            self.turn()
        self._held = False

    def drain(self, seconds: float) -> int:
        """Wait until the Lease is given back, for at most `seconds`."""
        if self._greenlet is not None:
            self._greenlet.join(seconds)
        return 0
