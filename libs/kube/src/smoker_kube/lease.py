"""Leases: the records by which the API server lets one of several clients hold something.

https://kubernetes.io/docs/concepts/architecture/leases/

A client takes a Lease over when the record has stood still for some seconds of its own steady clock: no two wall clocks
are compared. Every write carries the `resourceVersion` that was read, so of two writers one is refused (`CONFLICT`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from smoker_common.clock import Clock
from smoker_kube.slices import of

DEADLINE = 5.0  # seconds for one turn
CONFLICT = 409
LARGEST = 65_536  # bytes of a Lease that is read


def path(namespace: str) -> str:
    """Return the path of a namespace's Leases."""
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


def holder_of(item: Mapping[str, Any]) -> str:
    """Return who holds the Lease `item`; empty: nobody."""
    return str(of(of(item, "spec", dict), "holderIdentity", str))


def now() -> str:
    """Return the present instant as a Lease has it: for people, no client compares it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def document(spec: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Lease to write."""
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": spec, "metadata": metadata}


class Watched:
    """A Lease as one client sees it: for how long it has not changed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: tuple[str, str] | None = None  # holder and version
        self._changed = 0.0  # when that was new

    def see(self, item: Mapping[str, Any], holder: str | None = None) -> None:
        """Note the Lease as read or, with its new `holder`, as written."""
        holder = holder_of(item) if holder is None else holder
        seen = holder, str(of(of(item, "metadata", dict), "resourceVersion", str))
        if seen != self._seen:
            self._seen, self._changed = seen, self._clock.now()

    def is_free(self, lasts: float) -> bool:
        """Return whether nobody holds it, or the holder has not renewed it for `lasts` seconds."""
        return self._seen is None or not self._seen[0] or self._clock.now() - self._changed >= lasts
