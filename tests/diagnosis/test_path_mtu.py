"""The verdict on a path by the sizes that were answered and lost."""

from __future__ import annotations

import pytest

from smoker_diagnosis.path_mtu import COMMON, PathMtu, judge, sizes

ALLOWED = 1450
TRIED = sizes(ALLOWED)


@pytest.mark.parametrize("allowed", [576, 1280, 1450, 1500, 9001, 9216])
def test_sizes(allowed: int) -> None:
    """Sizes begin with the largest; none exceeds the limit, is below the least that every link takes, or repeats."""
    found = sizes(allowed)
    assert found == sorted(set(found), reverse=True)
    assert (found[0], found[-1]) == (allowed, COMMON[-1])
    assert len(found) < 30


@pytest.mark.parametrize("hole", [577, 1000, 1150, 1280, 1400, 1446, 1450])
def test_a_black_hole(hole: int) -> None:
    """If packets from `hole` bytes on are lost, the largest size that passes is named."""
    answered = [size for size in TRIED if size < hole]
    lost = len(TRIED) - len(answered)
    found = judge(ALLOWED, TRIED, answered)
    if lost < 2:
        assert found is None
    else:
        assert found == PathMtu(ALLOWED, max(answered))
        assert found.black_hole
        assert str(max(answered)) in str(found)


@pytest.mark.parametrize(
    "answered",
    [
        [],
        TRIED,
        TRIED[1:],
        [size for size in TRIED if size != 1280],
        [size for size in TRIED if size not in (1450, 1449, 1000)],
        [128],
    ],
    ids=["nothing", "everything", "all-but-the-largest", "a-hole-in-the-middle", "losses-anywhere", "only-the-least"],
)
def test_without_an_answer_no_size_is_at_fault(answered: list[int]) -> None:
    """Loss that does not depend on size gives no verdict; a path for only the smallest size is a black hole."""
    found = judge(ALLOWED, TRIED, answered)
    assert found == (PathMtu(ALLOWED, 128) if answered == [128] else None)


def test_a_path_that_carries_every_size_is_healthy() -> None:
    assert not PathMtu(1500, 1500).black_hole
