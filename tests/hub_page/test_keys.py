"""The page by the keyboard alone: each view is reached, used and left; the focus is visible and is never lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.hub_page.conftest import SimulatedHub, Tab

SENTENCE = "h1.sentence"
PRESSES = 120  # of Tab until it must have reached an element

#: Return what is wrong with the look of the focus: no ring, a ring that a box cuts off, an element that another covers.
RING = """
() => {
  const focus = document.activeElement, style = getComputedStyle(focus), frame = focus.getBoundingClientRect();
  if (style.outlineStyle === "none") return "no ring";
  const width = parseFloat(style.outlineWidth) + parseFloat(style.outlineOffset);
  for (let box = focus.parentElement; box && box !== document.body; box = box.parentElement) {
    if (box instanceof SVGElement || getComputedStyle(box).overflowY === "visible") continue;
    const inside = box.getBoundingClientRect();
    const cut = frame.top - width < inside.top - 1 || frame.bottom + width > inside.bottom + 1;
    if (cut) return `cut off by ${box.className}`;
  }
  const middle = document.elementFromPoint(frame.left + Math.min(frame.width, 40) / 2, frame.top + frame.height / 2);
  if (focus.contains(middle) || middle?.contains(focus)) return "";
  return `covered by ${middle?.className ?? "the window's edge"}`;
}
"""


def focus(page: Any, selector: str, key: str = "Tab") -> None:
    """Press Tab, or Shift+Tab, until an element has the focus. A visible ring must be around it."""
    for _ in range(PRESSES):
        page.keyboard.press(key)
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            assert page.evaluate(RING) == "", selector
            return
    pytest.fail(f"{key} does not reach {selector}")


def press(page: Any, selector: str, key: str = "Enter") -> None:
    """Go to an element with Tab and press a key."""
    focus(page, selector)
    page.keyboard.press(key)


def exhaust(page: Any, name: str) -> None:
    """Press Enter on the button that has the focus until it can do nothing more. It must keep the focus."""
    button = page.get_by_label(name)
    while button.get_attribute("aria-disabled") != "true":
        page.keyboard.press("Enter")
        page.evaluate("new Promise(requestAnimationFrame)")
    page.wait_for_selector(f"[aria-label='{name}']:focus")


def copy(page: Any) -> None:
    """The first Tab offers to skip the bar, and a finding's button copies its command."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    press(page, "button.copy")
    page.wait_for_selector("button.copy:focus:has-text('Copied')")
    assert page.evaluate("navigator.clipboard.readText()") == "kubectl describe node node-2"


def opens_its_path(page: Any, around: str) -> None:
    """Press Enter on the cell that has the focus, inside an element of the selector `around`: its path opens."""
    label = page.evaluate(f"document.activeElement.closest('{around}') && document.activeElement.title")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1.title:focus:has-text(' to ')")
    assert label.partition(": ")[0] == page.inner_text("h1")


def matrix(page: Any) -> None:
    """Arrows move in the matrix, Enter opens a path, and Back returns."""
    press(page, "section:has(#nodes) tbody tr:nth-child(2) th a", "ArrowRight")
    page.keyboard.press("ArrowDown")
    opens_its_path(page, "td")
    page.go_back()
    page.wait_for_selector(f"{SENTENCE}:focus")


def forms(page: Any) -> None:
    """Map and strips are chosen with Enter; arrows move in both, and Enter opens a path."""
    press(page, ".forms a[href*='show=map']")
    page.wait_for_selector(".forms a[aria-current]:focus:has-text('Map')")
    press(page, ".map-box", "ArrowRight")
    page.wait_for_selector("#map-reading:has-text(' to node-1: ')")
    page.keyboard.press("+")
    focus(page, "[aria-label='Larger cells']", "Shift+Tab")
    exhaust(page, "Larger cells")
    focus(page, ".forms a[href*='show=strips']", "Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".forms a[aria-current]:focus:has-text('Strips')")
    press(page, "table.strips tbody th a[href*='node-2']", "ArrowRight")
    page.keyboard.press("ArrowRight")
    opens_its_path(page, ".strip")


def filters(page: Any) -> None:
    """A key chooses in the lists, the address has the choice, and the list keeps the focus."""
    press(page, "select[name=probe]", "u")
    page.wait_for_url("**/?probe=udp")
    page.wait_for_selector("select[name=probe]:focus")
    press(page, "select[name=zone]", "ArrowDown")
    page.wait_for_url("**/?probe=udp&zone=*")
    page.wait_for_selector("select[name=zone]:focus")


def node(page: Any) -> None:
    """A node opens from the matrix, its period can be chosen, and a peer leads to its path."""
    press(page, "section:has(#nodes) tbody th a[href$='node-1']")
    page.wait_for_selector("h1.title:focus:has-text('node-1')")
    page.wait_for_selector(".halves section:last-child .peers")
    press(page, ".spans button:nth-child(2)", "Space")
    page.wait_for_selector(".spans button[aria-pressed=true]:focus:has-text('6 h')")
    press(page, ".peers a[href*='to=node-2']")
    page.wait_for_selector("h1.title:focus:has-text('node-1 to node-2')")


def path(page: Any) -> None:
    """The other direction is a new page; the choice of a probe and of a moment of its history leave the focus alone."""
    press(page, "section:has(#nodes) tbody th a[href$='node-1']", "ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1.title:focus:has-text('node-1 to ')")
    press(page, ".facts a:last-child")
    page.wait_for_selector("h1.title:focus:has-text(' to node-1')")
    press(page, "table.paths tr:nth-child(2) a[href*='id=']")
    page.wait_for_selector("tr.chosen a:focus")
    page.wait_for_selector("section:has(h2:has-text('UDP')):has(.chart svg) svg.band")
    press(page, ".changes a")
    page.wait_for_selector("svg.band rect.now", state="attached")
    page.wait_for_selector(".changes a:focus")


def finding(page: Any) -> None:
    """A finding opens from its card, a node from its graph, and Back returns; its evidence leads to paths."""
    press(page, "article a[href*=finding]")
    page.wait_for_selector("h1.title:focus:has-text('node-2: no connection')")
    page.wait_for_selector("svg.graph")
    press(page, "svg.graph a[href*='node-3']")
    page.wait_for_selector("h1.title:focus:has-text('node-3')")
    page.go_back()
    page.wait_for_selector("h1.title:focus:has-text('node-2: no connection')")
    press(page, "section:has(#paths) td a[href*='view=path']")
    page.wait_for_selector("h1.title:focus:has-text(' to ')")


def events(page: Any) -> None:
    """Events can be filtered; a finding's time shows its moment, and a link leads back to now."""
    press(page, "nav a[href*=events]")
    page.wait_for_selector("h1.title:focus:has-text('Events')")
    hub = ".events li:has-text('the hub looks at')"
    page.wait_for_selector(hub)
    press(page, "input[type=checkbox]", "Space")
    page.wait_for_selector(hub, state="detached")
    press(page, ".events a.when")
    page.wait_for_selector(f"{SENTENCE}:focus:has-text('node-2')")
    focus(page, ".banner.past a", "Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".banner", state="detached")
    page.wait_for_selector(f"{SENTENCE}:focus")


def past(page: Any) -> None:
    """Buttons and slider of the time machine keep the focus, even where a button can do nothing more."""
    page.wait_for_selector("[aria-label='To the change before'][aria-disabled=false]")
    focus(page, "[aria-label='To the change before']")
    exhaust(page, "To the change before")
    page.wait_for_selector(".banner.past")
    before = page.url
    press(page, "input[type=range]", "ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("before => location.href !== before", arg=before)
    page.wait_for_selector("input[type=range]:focus")
    press(page, ".time button:last-child")
    page.wait_for_selector(".banner", state="detached")
    page.wait_for_selector(".time button:last-child[aria-disabled=true]:focus")


JOURNEYS: tuple[Callable[[Any], None], ...] = (copy, matrix, forms, filters, node, path, finding, events, past)


@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda each: each.__name__)
def test_every_view_is_reachable_with_keys_alone(
    tab: Tab, broken: SimulatedHub, journey: Callable[[Any], None]
) -> None:
    """Tab reaches all of a view with a visible ring, Enter, Space and arrows use it, and the focus is never lost."""
    tab.expected = ("404",) if journey is past else ()  # the history of a new hub begins later than the slider
    tab.page.goto(broken.address)
    tab.page.wait_for_selector("article.critical")
    tab.page.wait_for_selector("table.cells td a[title^='node-1 to node-3']")
    tab.page.wait_for_selector("aside.time")
    journey(tab.page)


def test_the_map_works_with_keys(tab: Tab, large: SimulatedHub) -> None:
    """Arrows move the cursor and the map with it, and Enter opens the path."""
    page = tab.page
    page.goto(f"{large.address}?show=map")
    page.focus(".map-box")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#map-reading:has-text(' to node-1: works')")
    page.keyboard.press("PageDown")
    page.keyboard.press("PageUp")
    page.keyboard.press("End")
    assert page.evaluate("document.querySelector('.map-box').scrollLeft") > 0
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1.title:has-text('node-1')")
