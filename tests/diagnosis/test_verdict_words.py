"""The sentences about a mesh as a whole."""

from __future__ import annotations

import pytest

from smoker_diagnosis import text


@pytest.mark.parametrize(
    ("failing", "waiting", "sentence"),
    [
        (1200, 3, "UNCLEAR the last probe of 1,200 of 5,000 paths failed: too little to name a fault"),
        (0, 3, "UNCLEAR no result yet from 3 of 5,000 paths"),
        (0, 0, "UNCLEAR the prober on a (pod) has no mesh"),
    ],
)
def test_a_mesh_that_is_not_whole(failing: int, waiting: int, sentence: str) -> None:
    """The first sentence has what fails; if nothing does, what has no result; otherwise what is missing."""
    assert text.not_whole(failing, waiting, ["the prober on a (pod) has no mesh", "b is silent"], 5000) == sentence


def test_what_is_missing() -> None:
    """Each is a whole sentence, unless the first one has it already."""
    missing = ["the prober on a (pod) has no mesh", "b is silent"]
    assert text.whole_sentences(missing, "FAULT c") == ["The prober on a (pod) has no mesh.", "B is silent."]
    assert text.whole_sentences(missing, text.not_whole(0, 0, missing, 9)) == ["B is silent."]


def test_what_loss_explains() -> None:
    """The count fits its noun."""
    assert text.by_loss(1) == "Packet loss explains 1 failing path."
    assert text.by_loss(1000) == "Packet loss explains 1,000 failing paths."
