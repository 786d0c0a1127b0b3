"""What the soak says of growth is right."""

from __future__ import annotations

from typing import Any

import pytest

from .server import Memory
from .soak import HEADER, Track, row, slope


def track(*descriptors: int) -> Track:
    """A track with these descriptors, whose process is not asked."""
    server: Any = None
    return Track("prober", server, descriptors=list(descriptors))


def test_the_slope_of_a_line_is_exact() -> None:
    """The slope of a line is found exactly; symmetric noise has no slope."""
    assert slope([0.0, 0.5, 1.0], [30.0, 31.0, 32.0]) == pytest.approx(2.0)
    assert slope([0.0, 1.0, 2.0, 3.0], [30.0, 31.0, 31.0, 30.0]) == pytest.approx(0.0)


class Grows:
    """A process whose PSS grows by `pss` KiB from one look to the next, and whose RSS by `rss` KiB."""

    def __init__(self, *, pss: int, rss: int) -> None:
        self.looks, self.pss, self.rss = 0, pss, rss

    def memory(self) -> Memory:
        self.looks += 1
        return Memory(rss=40_960 + self.looks * self.rss, pss=20_480 + self.looks * self.pss, own=10_240)

    def descriptors(self) -> int:
        return 12


@pytest.mark.parametrize(
    ("pss", "rss", "growth", "verdict"),
    [(0, 4096, "+0.00", "≤ 1 MiB/h met; +0 descriptors"), (2048, 0, "+2.00", "≤ 1 MiB/h missed; +0 descriptors")],
)
def test_growth_is_judged_by_the_pss(pss: int, rss: int, growth: str, verdict: str) -> None:
    """The PSS is judged: the RSS also grows if the process maps pages that another one has read."""
    server: Any = Grows(pss=pss, rss=rss)
    measured = Track("prober", server)
    for hour in range(4):
        measured.look(3600.0 * hour)
    cells = dict(zip(HEADER, row(measured, "every 0.6 s", judged=True), strict=True))
    assert (cells["MiB/h"], cells["PSS MiB begin"]) == (growth, f"{(20_480 + pss) / 1024:.1f}")
    assert cells["verdict"] == verdict


def test_descriptors_that_are_never_closed_are_counted() -> None:
    """Connections that come and go are not lost; a descriptor that is never given back is."""
    assert track(*[12, 15, 12, 13, 15, 12, 14, 12, 12, 15] * 4).kept == 0
    assert track(*[12, 15, 12, 13] * 10, *[13, 16, 13, 14] * 10).kept == 1
