"""Parse the list of probers in a setting. It replaces the API server for simulated nodes on one machine.

node-1@zone-a=127.0.1.1:9464,node-2=127.0.1.2:9464
"""

from __future__ import annotations

import re
from typing import NamedTuple

from smoker_common.host import InvalidHost, host_and_port
from smoker_common.kinds import InvalidValue, Kind

LONGEST = 253  # characters of a node's name
_SHOWN = 60  # characters of a wrong entry


class NamedPeer(NamedTuple):
    """A prober: its node, its zone (empty where it has none), and where its admin port is."""

    node: str
    zone: str
    host: str
    port: int


def parse(text: str) -> tuple[NamedPeer, ...]:
    """Return the probers that `text` names. Raises ValueError with every mistake."""
    found: dict[str, NamedPeer] = {}
    wrong = []
    for entry in filter(None, re.split(r"[,\s]+", text)):
        name, _, where = entry.rpartition("=")
        node, _, zone = name.partition("@")
        if not 0 < len(node) <= LONGEST or len(zone) > LONGEST:
            wrong.append(repr(entry[:_SHOWN]))
        elif node in found:
            wrong.append(f"{node[:_SHOWN]!r} twice")
        else:
            try:
                found[node] = NamedPeer(node, zone, *host_and_port(where))
            except InvalidHost as why:
                wrong.append(f"{entry[:_SHOWN]!r} ({why})")
    if wrong:
        raise ValueError(", ".join(wrong))
    return tuple(found.values())


class _Peers(Kind):
    def __call__(self, text: str) -> tuple[NamedPeer, ...]:
        """Return the probers. Raises `InvalidValue` with what is allowed and each entry that is not."""
        try:
            return parse(text)
        except ValueError as error:
            raise InvalidValue(f"{self.allowed}; wrong: {error}") from error


kind = _Peers("a comma- or space-separated list of NODE=HOST:PORT or NODE@ZONE=HOST:PORT, no node twice", parse)
