"""Limit the open connections of a server: in total, and per client address.

An open connection costs memory (an HTTP connection 12 to 19 KiB). A process that exceeds its memory limit is killed,
which looks like a network fault. A new connection over a limit is closed at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable

MOST, MOST_OF_CLIENT = 20_000, 15_000
ALL, CLIENT = "max_connections", "max_connections_per_client"  # why a connection is refused
LINE = 1.0  # seconds from one line about refused connections to the next

#: Called at most once per LINE seconds: client, reason, connections refused since the last call.
Tell = Callable[[str, str, int], None]


class Admission:
    """Counts the open connections of the servers that share it.

    IPv6 is counted by address, because the nodes of a cluster often share a /64.
    """

    def __init__(self, most: int = MOST, most_of_client: int = MOST_OF_CLIENT) -> None:
        self.most, self.most_of_client = most, most_of_client
        self.open = 0
        self._clients: dict[str, int] = {}  # open connections by address; an address without any has no entry
        self._unlogged, self._logged_at = 0, float("-inf")

    def enter(self, client: str) -> str:
        """Count a new connection from `client` and return an empty string, or return the reason to refuse it."""
        mine = self._clients.get(client, 0)
        reason = ALL if self.open >= self.most else CLIENT if mine >= self.most_of_client else ""
        if not reason:
            self.open += 1
            self._clients[client] = mine + 1
        return reason

    def leave(self, client: str) -> None:
        """Record that a connection which `enter` counted has ended."""
        self.open -= 1
        mine = self._clients[client] - 1
        if mine:
            self._clients[client] = mine
        else:
            del self._clients[client]

    def tell(self, client: str, reason: str, tell: Tell) -> None:
        """Call `tell` about a refused connection, unless it was called less than LINE seconds ago."""
        self._unlogged += 1
        now = time.monotonic()
        if now - self._logged_at >= LINE:
            unlogged, self._unlogged, self._logged_at = self._unlogged, 0, now
            tell(client, reason, unlogged)
