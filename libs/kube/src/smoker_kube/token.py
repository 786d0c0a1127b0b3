"""A token of the whole cluster: a Lease that one client holds for a moment.

The chart makes the Lease, so that clients may only read and update this one object. Every write carries the
`resourceVersion` that was read, so of two writers one is refused. A holder that dies loses the token when the record
has not changed for `LASTS` seconds of the next client's own steady clock: no two wall clocks are compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import gevent
from urllib3.exceptions import HTTPError

from smoker_common.clock import Clock
from smoker_kube.api import Api, Refused
from smoker_kube.slices import of

LASTS = 30.0  # seconds for which a holder may keep the token
DEADLINE = 5.0  # seconds to take it, or to give it back
CONFLICT = 409
LARGEST = 65_536  # bytes of a Lease that is read
UNREADABLE = (Refused, HTTPError, OSError, ValueError)  # what the API raises


class Token:
    """The Lease `name`, as this client (`identity`, of this process alone) takes it and gives it back."""

    def __init__(self, api: Api, namespace: str, name: str, identity: str, clock: Clock | None = None) -> None:
        self._api, self._identity = api, identity
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
        self._clock = clock or Clock()
        self._seen: tuple[str, str] | None = None  # holder and version as last read
        self._changed = 0.0  # when that was new

    def take(self) -> bool:
        """Take the token; False if another client has it. Raises one of `UNREADABLE` if the API does not answer."""
        with gevent.Timeout(DEADLINE, TimeoutError(f"no answer within {DEADLINE:g} s")):
            item = self._read()
            holder, now = _holder(item), self._clock.now()
            if holder and now - self._changed < LASTS:
                return False
            return self._write(item, self._identity)

    def give_back(self) -> None:
        """Give the token back, if this client still holds it. Raises one of `UNREADABLE`."""
        with gevent.Timeout(DEADLINE, TimeoutError(f"no answer within {DEADLINE:g} s")):
            item = self._read()
            if _holder(item) == self._identity:
                self._write(item, "")

    def _read(self) -> Mapping[str, Any]:
        item: Mapping[str, Any] = self._api.get(self._path, LARGEST)
        seen = _holder(item), str(of(of(item, "metadata", dict), "resourceVersion", str))
        if seen != self._seen:
            self._seen, self._changed = seen, self._clock.now()
        return item

    def _write(self, item: Mapping[str, Any], holder: str) -> bool:
        """Write this holder; False where another client wrote since it was read."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # for people: no client compares it
        spec = {"holderIdentity": holder, "leaseDurationSeconds": int(LASTS), "acquireTime": now, "renewTime": now}
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": spec}
        try:
            self._api.replace(self._path, {**lease, "metadata": of(item, "metadata", dict)})
        except Refused as refused:
            if refused.status == CONFLICT:
                return False
            raise
        return True


def _holder(item: Mapping[str, Any]) -> str:
    return str(of(of(item, "spec", dict), "holderIdentity", str))
