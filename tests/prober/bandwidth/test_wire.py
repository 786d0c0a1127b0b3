"""What two probers say to each other around a transfer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoker_prober.bandwidth import wire


def test_blocks_survive_writing_and_reading() -> None:
    """Each block has 64 bytes, and its reader returns what its writer was given."""
    wanted = wire.Request(wire.DOWN, 1_000_000, 0.25)
    blocks = wire.request(wanted), wire.done(12_345_678, 0.987654), wire.sent(125e6, 7), wire.block(wire.BUSY)
    assert {len(each) for each in blocks} == {wire.BLOCK}
    assert wire.request_of(blocks[0]) == wanted
    assert wire.done_of(blocks[1]) == (12_345_678, 0.987654)
    assert wire.sent_of(blocks[2]) == (125e6, 7)
    assert wire.word_of(blocks[3]) == wire.BUSY


def test_a_request_is_bounded_by_its_reader() -> None:
    """A request for more bytes or more time gets the largest allowed transfer."""
    asked = wire.request_of(wire.block("smoker-bandwidth/1 up 999999999999999 999999"))
    assert asked == wire.Request(wire.UP, wire.MOST_BYTES, wire.MOST_SECONDS)


def test_an_unknown_rate_is_none() -> None:
    """A sender whose kernel knows no rate says 0, which is no rate of 0."""
    assert wire.sent_of(wire.sent(None, 0)) == (None, 0)


@given(st.binary(max_size=80))
def test_anything_else_is_a_wire_error(data: bytes) -> None:
    """No content of a block raises anything but the reader's own error."""
    for reader in (wire.request_of, wire.done_of, wire.sent_of, wire.word_of):
        with pytest.raises(wire.WireError):
            reader(data)
