"""A token of the whole cluster: a Lease that one client holds for a moment.

The chart makes the Lease, so that clients may only read and update this one object. A holder that dies loses the token
when the record has not changed for `LASTS` seconds of the next client's own clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gevent
from urllib3.exceptions import HTTPError

from smoker_common.clock import Clock
from smoker_kube.api import Api, Refused
from smoker_kube.lease import CONFLICT, DEADLINE, LARGEST, Watched, document, holder_of, now, path
from smoker_kube.slices import of

LASTS = 30.0  # seconds for which a holder may keep the token
UNREADABLE = (Refused, HTTPError, OSError, ValueError)  # what the API raises


class Token:
    """The Lease `name`, as this client (`identity`, of this process alone) takes it and gives it back."""

    def __init__(self, api: Api, namespace: str, name: str, identity: str, clock: Clock | None = None) -> None:
        self._api, self._identity = api, identity
        self._path = f"{path(namespace)}/{name}"
        self._watched = Watched(clock or Clock())

    def take(self) -> bool:
        """Take the token; False if another client has it. Raises one of `UNREADABLE` if the API does not answer."""
        with gevent.Timeout(DEADLINE, TimeoutError(f"no answer within {DEADLINE:g} s")):
            item = self._read()
            return self._watched.is_free(LASTS) and self._write(item, self._identity)

    def give_back(self) -> None:
        """Give the token back, if this client still holds it. Raises one of `UNREADABLE`."""
        with gevent.Timeout(DEADLINE, TimeoutError(f"no answer within {DEADLINE:g} s")):
            item = self._read()
            if holder_of(item) == self._identity:
                self._write(item, "")

    def _read(self) -> Mapping[str, Any]:
        item: Mapping[str, Any] = self._api.get(self._path, LARGEST)
        self._watched.see(item)
        return item

    def _write(self, item: Mapping[str, Any], holder: str) -> bool:
        """Write this holder; False where another client wrote since it was read."""
        at = now()
        spec = {"holderIdentity": holder, "leaseDurationSeconds": int(LASTS), "acquireTime": at, "renewTime": at}
        try:
            self._api.replace(self._path, document(spec, of(item, "metadata", dict)))
        except Refused as refused:
            if refused.status == CONFLICT:
                return False
            raise
        return True
