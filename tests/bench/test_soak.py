"""What the soak says of growth is right."""

from __future__ import annotations

from typing import Any

import pytest

from .soak import Track, slope


def track(*descriptors: int) -> Track:
    """A track with these descriptors, whose process is not asked."""
    server: Any = None
    return Track("prober", server, descriptors=list(descriptors))


def test_the_slope_of_a_line_is_exact() -> None:
    """The slope of a line is found exactly; symmetric noise has no slope."""
    assert slope([0.0, 0.5, 1.0], [30.0, 31.0, 32.0]) == pytest.approx(2.0)
    assert slope([0.0, 1.0, 2.0, 3.0], [30.0, 31.0, 31.0, 30.0]) == pytest.approx(0.0)


def test_descriptors_that_are_never_closed_are_counted() -> None:
    """Connections that come and go are not lost; a descriptor that is never given back is."""
    assert track(*[12, 15, 12, 13, 15, 12, 14, 12, 12, 15] * 4).kept == 0
    assert track(*[12, 15, 12, 13] * 10, *[13, 16, 13, 14] * 10).kept == 1
