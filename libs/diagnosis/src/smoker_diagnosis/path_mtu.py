"""What packets of many sizes, and those of them that were answered, say: up to which size the way takes them.

A black hole is a way that loses large packets and tells nobody (RFC 2923 section 2.1, RFC 4821 section 1).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

#: Bytes by which tunnels make packets smaller, from one (nothing does) by VLAN tags, IPIP, GRE, VXLAN and WireGuard on.
LESS = (0, 1, 4, 8, 20, 24, 28, 36, 50, 60, 70, 80, 100, 150, 250, 450)
#: Sizes of links and tunnels, what every link must take (RFC 8200 section 5, RFC 791 section 3.1), and a small one.
COMMON = (8951, 8901, 1500, 1450, 1420, 1400, 1280, 1000, 576, 128)


@dataclass(frozen=True)
class PathMtu:
    """Bytes of IP packets: `allowed` is the largest that the way is said to take, `passes` the largest that does."""

    allowed: int
    passes: int

    @property
    def black_hole(self) -> bool:
        return self.passes < self.allowed

    def __str__(self) -> str:
        return f"packets of {self.passes} bytes pass, larger ones are lost; the way is said to take {self.allowed}"


def sizes(allowed: int) -> list[int]:
    """Those to try, the largest first."""
    lowest = COMMON[-1]
    return sorted(
        {size for size in (*COMMON, *(allowed - less for less in LESS)) if lowest <= size <= allowed}, reverse=True
    )


def judge(allowed: int, tried: Collection[int], answered: Collection[int]) -> PathMtu | None:
    """None where no size is at fault: nothing was answered, or something was that is larger than what was not.

    One lost size is no black hole: two next to each other, at least, must be lost above all that pass.
    """
    if not answered:
        return None
    passes = max(answered)
    lost = [size for size in tried if size not in answered]
    if len(lost) < 2 or min(lost) < passes:
        return None
    return PathMtu(allowed, passes)
