"""Every view, now and in the past, light and dark, with 5 and with 1,000 nodes: its content, and no finding of axe."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest

from tests.conftest import eventually
from tests.hub_page.axe import findings_of_axe
from tests.hub_page.conftest import SimulatedHub, Tab, get, opened
from tests.hub_page.stage import LONG

FINDING = "document.querySelector('article a[href*=finding]')?.getAttribute('href') ?? ''"

#: Return the names in the drawing that reach beyond its edge.
CUT_OFF = """
[...document.querySelectorAll("svg.graph text")].filter((text) => {
  const [name, all] = [text.getBoundingClientRect(), text.closest("svg").getBoundingClientRect()];
  return name.left < all.left || name.right > all.right;
}).map((text) => text.textContent)
"""
CHART = "section:has(.chart svg):has(svg.band)"

#: By name: the address, and what must be there. `NODE` stands for the node with a fault, `THEN` for a moment with it.
VIEWS = {
    "overview": ("", "h1.sentence.faults:has-text('NODE')"),
    "strips": ("?show=strips", "table.strips tbody tr:first-child th:has-text('NODE')"),
    "map": ("?show=map", ".list li a:has-text('NODE')"),
    "node": ("?view=node&name=NODE", "section:has(#failing) td:has-text('no answer')"),
    "path": (
        "?view=path&from=PEER&to=NODE",
        f"div:has(td .state.fail) ~ p.bandwidth:has-text('941 Mbit/s') ~ {CHART}",
    ),
    "finding": ("FINDING", "svg.graph circle.accused"),
    "events": ("?view=events", ".events li.critical:has-text('NODE')"),
    "filtered": ("?probe=udp&plane=pod&zone=eu-1b", "select[name=zone]"),
}
PAST = {
    "overview then": ("?at=THEN", ".banner.past ~ main:has(td.fail) h1.sentence.faults:has-text('NODE')"),
    "node then": ("?view=node&name=NODE&at=THEN", ".banner.past ~ main section:has(#failing) td:has-text('no answer')"),
    "path then": ("?view=path&from=PEER&to=NODE&at=THEN", f".banner.past ~ main div:has(td .state.fail) ~ {CHART}"),
    "before the history": ("?at=1000000000", ".banner.past ~ main .note.warn"),
}
NOWHERE = {
    "no such finding": ("?view=finding&id=0", "h1 ~ .note.warn"),
    "no path": ("?probe=udp&family=ipv6", ".note:has-text('No path between nodes')"),
}


def look(tab: Tab, show: SimulatedHub, view: str, node: str, peer: str, *schemes: str) -> None:
    """Open a view and check it, light and dark, or in the schemes of colours that are given."""
    address, wanted = (VIEWS | PAST | NOWHERE)[view]
    if "THEN" in address:
        address = address.replace("THEN", str(moment_with_fault(show)))
    if address == "FINDING":
        tab.page.goto(show.address)
        tab.page.wait_for_selector("article a[href*=finding]")
        address = tab.page.evaluate(FINDING)
    address = address.replace("NODE", node).replace("PEER", peer)
    tab.page.goto(show.address + address)
    tab.page.wait_for_selector(wanted.replace("NODE", node))
    assert findings_of_axe(tab.page, *schemes) == []
    assert tab.page.evaluate(CUT_OFF) == []
    assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert tab.page.evaluate("document.images.length") == 0


def moment_with_fault(show: SimulatedHub) -> int:
    """Return a moment at which a fault had been open for two seconds: all probers have told their results of it."""

    def settled() -> int:
        found = json.loads(get(f"{show.address}api/v1/findings"))["open"]
        return max(
            (math.floor(each["last_seen"]) for each in found if each["last_seen"] > each["opened"] + 3), default=0
        )

    return int(eventually("the fault has lasted for two seconds", settled))


@pytest.mark.parametrize("view", [*VIEWS, *PAST, *NOWHERE])
def test_a_view_of_five_nodes(tab: Tab, broken: SimulatedHub, view: str) -> None:
    """It shows the fault; axe finds nothing; the policy is kept; nothing is wider than the window."""
    tab.expected = ("404",) if view in ("no such finding", "before the history") else ()
    look(tab, broken, view, "node-2", "node-1")


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_of_a_thousand_nodes(tab: Tab, large: SimulatedHub, view: str) -> None:
    """A view of a thousand nodes does the same."""
    look(tab, large, view, "node-17", "node-16")


@pytest.mark.parametrize("view", ["overview", "map", "node", "finding", "path then"])
def test_a_view_on_a_phone(chromium: Any, broken: SimulatedHub, view: str) -> None:
    """At 360 pixels nothing but tables, in their own boxes, is wider than the window."""
    with opened(chromium) as tab:
        tab.page.set_viewport_size({"width": 360, "height": 740})
        look(tab, broken, view, "node-2", "node-1", "light")


def test_without_scripts_it_is_one_page_with_the_findings(chromium: Any, broken: SimulatedHub) -> None:
    """The page has the sentence, the finding with its command, and every node, and a link loads it again."""
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(broken.address)
    text = page.inner_text("body")
    assert "node-2: no connection" in text
    assert "kubectl describe node node-2" in text
    assert text.index("Open findings") < text.index("Nodes")
    assert page.locator("tbody th").all_inner_texts()[1:] == ["node-1", "node-2", "node-3", LONG]
    with page.expect_navigation():
        page.get_by_role("link", name="Load again").click()
    context.close()


@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing_without_scripts(tab: Tab, broken: SimulatedHub, width: int) -> None:
    """The same page, with what it shows only without scripts, has no finding of axe, which is a script itself."""
    text = re.sub(r"</?noscript>|<script.*?</script>", "", get(broken.address).decode())
    tab.page.set_viewport_size({"width": width, "height": 740})
    tab.page.route(broken.address, lambda route: route.fulfill(body=text, content_type="text/html"))
    tab.page.goto(broken.address)
    assert tab.page.locator("tbody th").count() == 5
    assert findings_of_axe(tab.page) == []
    assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [360, 1280])
def test_a_name_of_63_characters(chromium: Any, small: SimulatedHub, width: int) -> None:
    """The overview and the node's and a path's view have it whole, and nothing but tables is wider than the window.

    The node's view has a history of two minutes, which is said in a sentence with the name.
    """
    minutes = {"since": 60, "until": 180, "at": [60, 120], "paths": [4, 4], "failing": [0, 1], "rtt": [300, 400]}
    with opened(chromium) as tab:
        tab.page.set_viewport_size({"width": width, "height": 740})
        tab.page.route("**/api/v1/rollups*", lambda route: route.fulfill(json=minutes))
        for address in ("", f"?view=node&name={LONG}", f"?view=path&from=node-1&to={LONG}"):
            tab.page.goto(small.address + address)
            tab.page.wait_for_selector(f"main :text('{LONG}')")
            if "view=node" in address:
                tab.page.wait_for_selector(f".hint:text('{LONG}')")
            assert tab.page.evaluate("document.documentElement.scrollWidth") <= width


HOUR: dict[str, Any] = {
    "since": 1_700_000_000,
    "until": 1_700_003_600,
    "at": list(range(1_700_000_040, 1_700_003_600, 60)),
    "paths": [4] * 60,
    "failing": [3 if 20 <= minute < 30 else 0 for minute in range(60)],
    "rtt": [0 if 40 <= minute < 45 else 300 + 10 * (minute % 7) for minute in range(60)],
}


@pytest.mark.parametrize("width", [360, 1280])
def test_the_chart_of_a_node(chromium: Any, broken: SimulatedHub, width: int) -> None:
    """A line with a gap where no sample is, a block of steps where paths fail, and the values under the pointer."""
    with opened(chromium) as tab:
        tab.page.set_viewport_size({"width": width, "height": 740})
        tab.page.route("**/api/v1/rollups*", lambda route: route.fulfill(json=HOUR))
        tab.page.goto(f"{broken.address}?view=node&name=node-1")
        chart = tab.page.locator(".chart svg")
        chart.wait_for()
        line, steps = (chart.locator(f"path.{name}").get_attribute("d") for name in ("rtt", "failing"))
        assert (line.count("M"), line.count("L"), steps.count("M")) == (2, 53, 10)
        labels = chart.locator("text").all_text_contents()
        assert {"0 ms", "0.4 ms", "3"} <= set(labels)
        assert sum(":" in each for each in labels) >= 2
        box = chart.bounding_box()
        assert box["width"] <= width
        for minute, words in (
            (25, ("RTT, median 0.34 ms", "failing paths 3")),
            (42, ("RTT, median \u2013", "failing paths 0")),
        ):
            # The margins beside the drawing are 58 and 44 pixels.
            tab.page.mouse.move(box["x"] + 58 + (box["width"] - 102) * (40 + 60 * minute) / 3600, box["y"] + 80)
            for word in words:
                tab.page.wait_for_selector(f".legend :text('{word}')")


@pytest.mark.parametrize("probe", ["TCP", "UDP"])
def test_the_chart_of_a_path(chromium: Any, broken: SimulatedHub, probe: str) -> None:
    """The prober's last hour is a line of round trips; when the path fails, the line ends and steps begin."""
    with opened(chromium) as tab:
        tab.page.goto(f"{broken.address}?view=path&from=node-1&to=node-2")
        tab.page.locator("table.paths td a", has_text=probe).first.click()
        chart = tab.page.locator(".chart svg")
        tab.page.wait_for_selector(f"h2:has-text('{probe}')")
        chart.wait_for()
        assert "At most 100 % failed or lost, at " in chart.get_attribute("aria-label")
        assert chart.get_attribute("aria-label").endswith("From the prober, which keeps its last hour.")
        line, steps = (chart.locator(f"path.{name}").get_attribute("d") for name in ("rtt", "failing"))
        assert line.count("M") == 1
        assert 110 <= line.count("L") <= 118
        assert 1 <= steps.count("M") <= 9
        assert {"0 %", "100 %"} <= set(chart.locator("text").all_text_contents())
        box = chart.bounding_box()
        tab.page.mouse.move(box["x"] + box["width"] - 46, box["y"] + 80)
        tab.page.wait_for_selector(".legend :text('failed or lost 100 %')")


def test_a_path_without_a_chart(tab: Tab, broken: SimulatedHub) -> None:
    """If Prometheus or the prober does not answer, the view gives the reason, and the page stays live."""
    tab.expected = ("502",)
    detail = {"title": "Bad Gateway", "status": 502, "detail": "Prometheus does not answer: no connection"}
    answer = {"status": 502, "body": json.dumps(detail), "content_type": "application/problem+json"}
    tab.page.route("**/api/v1/series*", lambda route: route.fulfill(**answer))
    tab.page.goto(f"{broken.address}?view=path&from=node-1&to=node-2")
    tab.page.wait_for_selector("main :text('There is no chart: Prometheus does not answer: no connection.')")
    tab.page.wait_for_selector("section svg.band")
    assert tab.page.locator(".mode.lost").count() == 0


def test_a_hostile_name_is_text(tab: Tab, broken: SimulatedHub) -> None:
    """Markup and bidirectional controls in a node's name are shown as text."""
    tab.page.goto(broken.address)
    name = tab.page.locator("table.cells tbody th", has_text="<img")
    name.first.wait_for()
    assert name.last.inner_text() == "<img/src=x/onerror=alert(1)>\\u202egnp.exe"
    assert "\u202e" not in tab.page.inner_text("body")
    tab.page.locator("table.cells tbody th a", has_text="<img").last.click()
    tab.page.wait_for_selector("h1:has-text('<img')")
    tab.page.wait_for_selector(".peers")
    assert tab.page.evaluate("document.images.length") == 0
