"""Which replica of the hub notifies: the one that holds a Lease.

Each replica reads the Lease every `RENEW` seconds and the holder renews it. A replica takes the Lease over when the
record has not changed for `LASTS` seconds of its own clock (smoker_kube.lease).

A holder that cannot reach the API server keeps notifying: a notification that is sent twice has the same id twice, and
one that nobody sends is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gevent
from loguru import logger
from urllib3.exceptions import HTTPError

from smoker_common.clock import Clock
from smoker_common.work import BaseWork
from smoker_kube.api import Api, Refused
from smoker_kube.lease import CONFLICT, DEADLINE, LARGEST, Watched, document, holder_of, now, path
from smoker_kube.slices import of
from smoker_kube.standing import FORBIDDEN, NOT_FOUND, sentence, standing_of

RENEW = 2.0  # seconds between two reads, and between two renewals
LASTS = 10.0  # seconds without a change after which another replica takes the Lease over

_UNREADABLE = (HTTPError, OSError, ValueError)


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
        clock: Clock | None = None,
    ) -> None:
        self._api, self._path, self._name, self._identity = api, path(namespace), name, identity
        self._fit, self._watched = fit, Watched(clock or Clock())
        self._held = False
        self._forbidden = False  # whether the account may not use Leases
        self._logged = ""
        self._greenlet: gevent.Greenlet[[], None] | None = None

    @property
    def held(self) -> bool:
        """Whether this replica notifies."""
        return self._held or self._forbidden

    def turn(self) -> None:
        """Read the Lease once; renew it or take it over where that is due."""
        try:
            with gevent.Timeout(DEADLINE, TimeoutError(f"no answer within {DEADLINE:g} s")):
                self._turn()
        except Refused as refused:
            if refused.status == CONFLICT:  # another replica wrote first: the next turn reads what
                self._hold(held=False)
            else:
                self._failed(refused)
        except _UNREADABLE as broken:
            self._failed(broken)

    def _turn(self) -> None:
        try:
            item = self._api.get(f"{self._path}/{self._name}", LARGEST)
        except Refused as refused:
            if refused.status != NOT_FOUND:
                raise
            item = {}
        self._forbidden = False
        holder = holder_of(item)
        self._watched.see(item)
        if not self._fit():
            if holder == self._identity:
                self._write(item, "")
            self._hold(held=False)
        elif holder == self._identity or self._watched.is_free(LASTS):
            self._write(item, self._identity)
            self._hold(held=True)
        else:
            self._hold(held=False)
        self._answered()

    def _write(self, item: Mapping[str, Any], holder: str) -> None:
        """Write the Lease with this holder. Raises `Refused` where another replica wrote since it was read."""
        at = now()
        before = of(item, "spec", dict)
        changed = before.get("holderIdentity") != holder
        spec = {
            **before,
            "holderIdentity": holder,
            "leaseDurationSeconds": int(LASTS),
            "renewTime": at,
            "acquireTime": at if changed else before.get("acquireTime", at),
            "leaseTransitions": int(of(before, "leaseTransitions", int)) + (1 if changed and before else 0),
        }
        if item:
            kept = self._api.replace(f"{self._path}/{self._name}", document(spec, of(item, "metadata", dict)))
        else:
            kept = self._api.create(self._path, document(spec, {"name": self._name}))
        self._watched.see(kept, holder)

    def _hold(self, *, held: bool) -> None:
        if held != self._held:
            logger.info(f"{'this' if held else 'another'} replica now sends the notifications")
        self._held = held

    def _failed(self, broken: Exception) -> None:
        """Log each kind of failure once, until the API server answers again."""
        standing = standing_of(broken)
        self._forbidden = standing.status == FORBIDDEN
        if self._forbidden:
            line = "this pod's account may not use Leases (its Role is missing or not bound); every replica notifies"
        else:
            line = f"{sentence(standing.answering, standing.status, 'Leases')}; the same replica keeps notifying"
        if line != self._logged:
            logger.warning(line, cause=standing.cause)
            self._logged = line

    def _answered(self) -> None:
        if self._logged:
            logger.info("the Lease can be used again")
            self._logged = ""

    def start(self) -> None:
        """Begin to take turns."""
        self._greenlet = gevent.spawn(self._run)

    def _run(self) -> None:
        while True:
            try:
                self.turn()
            except Exception:
                logger.exception("renewing the Lease failed unexpectedly")
            gevent.sleep(RENEW)

    def retire(self) -> None:
        """Give the Lease back, so that another replica need not wait."""
        if self._greenlet is not None:
            self._greenlet.kill(block=False)
            self._greenlet = None
        if self._held:
            self._fit = lambda: False
            self.turn()
