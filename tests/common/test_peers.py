"""Probers that a setting names."""

from __future__ import annotations

import pytest

from smoker_common.kinds import InvalidValue
from smoker_common.peers import NamedPeer, kind, parse


def test_nodes_zones_and_addresses() -> None:
    """Entries are separated by commas, spaces or both; the zone is optional; an IPv6 address is in brackets."""
    assert parse("node-1@a=127.0.1.1:9464, node-2=[::1]:80") == (
        NamedPeer("node-1", "a", "127.0.1.1", 9464),
        NamedPeer("node-2", "", "::1", 80),
    )
    assert parse("") == ()


def test_a_node_name_may_contain_any_character() -> None:
    """The address begins after the last equals sign."""
    assert parse("<a/b=c>=localhost:1")[0].node == "<a/b=c>"


@pytest.mark.parametrize(
    "text", ["node-1", "=127.0.0.1:1", "node-1=127.0.0.1", "node-1=127.0.0.1:0", "n=a_:b", "a=h:1,a=h:2"]
)
def test_every_mistake_is_named(text: str) -> None:
    """An entry without a name, an address or a port, or a repeated one, is refused with what is allowed."""
    with pytest.raises(InvalidValue, match="NODE=HOST:PORT") as wrong:
        kind(f"good=127.0.0.1:1,{text}")
    assert "'good" not in str(wrong.value)
