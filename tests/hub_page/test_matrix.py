"""The matrix of zones and of nodes: its filter, its form by size, and pairs that an answer does not list."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.hub_page.conftest import SimulatedHub, Tab, get

PEERS = 10


def columns(count: int, listed: int, peers: int = PEERS, state: str = "o") -> dict[str, Any]:
    """Return a matrix of `count` nodes in two zones. Only the first `listed` rows have cells, each of `peers`."""
    to = [(row + step) % count for row in range(listed) for step in range(1, peers + 1)]
    each = [1] * len(to)
    return {
        "by": "node",
        "at": 1_700_000_000.0,
        "names": [f"node-{number:04}" for number in range(count)],
        "zone_names": ["a", "b"],
        "zones": [number % 2 for number in range(count)],
        "counts": [peers] * listed + [0] * (count - listed),
        "to": to,
        "state": state * len(to),
        "attempts": each,
        "rtt": each,
        "age": each,
        "failed": {},
        "loss": {},
        "left_out": (count - listed) * peers,
    }


def showing(tab: Tab, found: dict[str, Any]) -> None:
    """Have the page get this matrix of nodes."""
    tab.page.route(
        "**/api/v1/matrix*",
        lambda route: route.continue_() if "by=zone" in route.request.url else route.fulfill(json=found),
    )


def test_a_zone_that_is_cut_off(tab: Tab, healthy: SimulatedHub) -> None:
    """The table of zones shows where paths fail. A click keeps the pairs of that zone, and the others are hidden."""
    healthy.command("apart eu-1b")
    tab.page.goto(healthy.address)
    tab.page.wait_for_selector("h1.sentence.faults:has-text('zone eu-1b')")
    zones = "section:has(#zones) td"
    tab.page.wait_for_selector(f"{zones}.ok a[title^='eu-1a to eu-1c: works']")
    tab.page.wait_for_selector(f"{zones}.ok a[title^='eu-1b to eu-1b: works']")
    tab.page.wait_for_selector(f"{zones}.fail a[title^='eu-1c to eu-1b: fails']")
    tab.page.click(f"{zones}.fail a[title^='eu-1b to eu-1a: fails']")
    tab.page.wait_for_url("**/?zone=eu-1b")
    nodes = "section:has(#nodes) td"
    tab.page.wait_for_selector(f"{nodes}.none[title='node-1 to node-3: outside the zone']")
    tab.page.wait_for_selector(f"{nodes}.fail a[title^='node-1 to node-2: fails']")
    tab.page.select_option("select[name=zone]", "")
    tab.page.wait_for_selector(f"{nodes}.ok a[title^='node-1 to node-3: works']")


@pytest.mark.parametrize(
    ("count", "peers", "there"),
    [
        (100, 99, "table.cells caption"),
        (101, 100, ".beside:has(canvas) .list li"),
        (100, PEERS, "table.strips tbody tr"),
        (1_001, PEERS, "table.strips tbody tr"),
    ],
)
def test_the_form_follows_the_size(tab: Tab, small: SimulatedHub, count: int, peers: int, there: str) -> None:
    """Up to 100 nodes it is a table, then a map with a list; strips where most pairs are not probed."""
    showing(tab, columns(count, count, peers))
    tab.page.goto(small.address)
    tab.page.wait_for_selector(f"section:has(#nodes) {there}")
    assert tab.page.locator("section:has(#nodes)").locator("table.cells, canvas, table.strips").count() == 1


def test_pairs_that_are_not_listed_are_not_said_to_be_unprobed(tab: Tab, small: SimulatedHub) -> None:
    """An answer has the rows with the worst cells. Of the others the page does not know whether they are probed."""
    showing(tab, columns(40, listed=4))
    tab.page.goto(small.address)
    tab.page.wait_for_selector(".note:has-text('360 more cells are not shown')")
    assert tab.page.locator("table.strips tbody td:nth-child(4):has-text('none listed')").count() == 36
    assert "node-0000" in tab.page.locator("table.strips tbody tr").first.inner_text()
    assert "not probed" not in tab.page.inner_text("table.strips")
    tab.page.goto(f"{small.address}?show=table")
    tab.page.wait_for_selector("td.none[title='node-0020 to node-0000: not listed']")
    tab.page.goto(f"{small.address}?show=map")
    tab.page.focus(".map-box")
    for key in ("PageDown", "ArrowRight"):
        tab.page.keyboard.press(key)
    tab.page.wait_for_selector("#map-reading:has-text('node-0010 to node-0001: not listed')")


def test_a_graph_has_at_most_200_nodes(tab: Tab, broken: SimulatedHub) -> None:
    """The graph of a finding about a zone of 250 nodes shows 200 of them, and says how many are not shown."""
    found = json.loads(get(f"{broken.address}api/v1/findings"))["open"][0]
    found["finding"] |= {"scope": {"kind": "zone", "nodes": [], "zones": ["b"]}, "failing": [], "working": []}
    tab.page.route("**/api/v1/findings/*", lambda route: route.fulfill(json=found))
    showing(tab, columns(250, 250, state="f"))
    tab.page.goto(f"{broken.address}?view=finding&id={found['id']}")
    tab.page.wait_for_selector("section:has(#graph) .hint:has-text('50 more nodes are not shown')")
    assert tab.page.locator("svg.graph circle").count() == 200
