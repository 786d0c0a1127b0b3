"""The state of a path in one letter."""

from __future__ import annotations

from smoker_diagnosis.state import PathState, State
from smoker_hub.changes import letters_of
from smoker_hub.judge import letter


def test_the_interval_of_a_target_decides_when_it_is_stale() -> None:
    """A path is stale two intervals after its last result, by its target's interval or else the prober's."""
    usual = PathState("external", "api", "other", "", "tls", last="success", at=100.0)
    slow = PathState("external", "ca", "other", "", "tls", last="success", at=100.0, interval=3600.0)
    state = State(node="node-1", at=170.0, interval=30.0, timeout=5.0, paths=[usual, slow])
    assert [letter(path, state, 0.0) for path in state.paths] == ["s", "o"]
    assert letters_of(state, 0.0) == "so"
    assert letters_of(state, 7230.0) == "ss"
