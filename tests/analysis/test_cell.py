"""The cells of a prober's snapshot."""

from __future__ import annotations

from typing import Any

from smoker_prober.analysis.cell import Cell, cells_of


def test_cells_of_a_snapshot() -> None:
    """The probes of a way together; the echo services are one target.

    Neither well nor failed are paths without a result, that failed too seldom, and those that could not be asked.
    """

    def path(probe: str, last: str, failed_in_a_row: int = 0, loss: float | None = None, **more: Any) -> dict[str, Any]:
        what = {"probe": probe, "last": last, "failed_in_a_row": failed_in_a_row, "recent_loss_ratio": loss}
        return {"target": "n2", "plane": "pod", "family": "ipv4", **what, **more}

    ipv6: dict[str, Any] = {"family": "ipv6"}
    echo: dict[str, Any] = {"plane": "", "family": ""}
    found = cells_of(
        "n1",
        [
            path("tcp", "success", loss=0.1),
            path("udp", "timeout", 5),
            path("http", ""),
            path("tcp", "success", target="n3"),
            path("udp", "timeout", 4, target="n3"),
            path("tcp", "refused", 2, target="n4"),
            path("udp", "timeout", 1, target="n4"),
            path("tcp", "refused", 2, target="n5"),
            path("udp", "timeout", 3, target="n5"),
            path("tcp", "success", **ipv6),
            path("udp", "mtu", 1, **ipv6),
            path("http", "local_error", 5, **ipv6),
            path("tcp", "success", target="smoker-server:8080", **echo),
            path("udp", "success", target="smoker-server:8081", **echo),
        ],
    )
    assert set(found) == {
        Cell("n1", "n2", "pod", "ipv4", frozenset({"tcp"}), frozenset({("udp", "timeout")}), 0.1),
        Cell("n1", "n3", "pod", "ipv4", frozenset({"tcp"}), frozenset()),
        Cell("n1", "n4", "pod", "ipv4", frozenset(), frozenset()),
        Cell("n1", "n5", "pod", "ipv4", frozenset(), frozenset({("tcp", "refused"), ("udp", "timeout")})),
        Cell("n1", "n2", "pod", "ipv6", frozenset({"tcp"}), frozenset({("udp", "mtu")})),
        Cell("n1", "", "", "", frozenset({"tcp", "udp"}), frozenset()),
    }
