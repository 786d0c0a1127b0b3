"""Find up to which size a path carries packets, from the sizes that were sent and answered.

A black hole is a path that loses large packets without an ICMP error (RFC 2923 section 2.1, RFC 4821 section 1).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

#: Bytes by which headers reduce the size of packets: none, VLAN tags, IPIP, GRE, VXLAN, WireGuard.
LESS = (0, 1, 4, 8, 20, 24, 28, 36, 50, 60, 70, 80, 100, 150, 250, 450)
#: Sizes of links and tunnels, those that every link must carry (RFC 8200 section 5, RFC 791 section 3.1), and 128.
COMMON = (8951, 8901, 1500, 1450, 1420, 1400, 1280, 1000, 576, 128)


@dataclass(frozen=True)
class PathMtu:
    """Bytes of IP packets: `allowed` is the largest that the path should carry, `passes` the largest that it does."""

    allowed: int
    passes: int

    @property
    def black_hole(self) -> bool:
        return self.passes < self.allowed

    def __str__(self) -> str:
        return f"packets of {self.passes} bytes pass, larger ones are lost; the path should carry {self.allowed}"


def sizes(allowed: int) -> list[int]:
    """Return the sizes to try, the largest first."""
    lowest = COMMON[-1]
    return sorted(
        {size for size in (*COMMON, *(allowed - less for less in LESS)) if lowest <= size <= allowed}, reverse=True
    )


def judge(allowed: int, tried: Collection[int], answered: Collection[int]) -> PathMtu | None:
    """Return the verdict; None if no packet was answered, or if a packet was that is larger than a lost one.

    One lost size is no black hole: at least two adjacent sizes above all that pass must be lost.
    """
    if not answered:
        return None
    passes = max(answered)
    lost = [size for size in tried if size not in answered]
    if len(lost) < 2 or min(lost) < passes:
        return None
    return PathMtu(allowed, passes)
