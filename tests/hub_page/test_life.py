"""The page over time: findings that open and close, a hub that goes away, the time machine, filters, keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.hub_page.axe import findings_of_axe
from tests.hub_page.conftest import SimulatedHub, Tab, opened, showing

SENTENCE = "h1.sentence"
#: Give the content the colours that its grey filter shows, as axe knows nothing of filters.
GREY = """
for (const each of document.querySelectorAll("main *")) {
  for (const name of ["color", "backgroundColor"]) {
    each.style[name] = "";
    const [red, green, blue, ...alpha] = getComputedStyle(each)[name].match(/[\\d.]+/g).map(Number);
    const grey = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    each.style[name] = `rgba(${grey}, ${grey}, ${grey}, ${alpha[0] ?? 1})`;
  }
}
"""


def test_a_finding_opens_and_closes_without_a_reload(tab: Tab, healthy: SimulatedHub) -> None:
    """Sentence, card and announcement appear without a reload, and disappear when the fault is over."""
    tab.page.goto(healthy.address)
    tab.page.wait_for_selector(f"{SENTENCE}.healthy")
    tab.page.wait_for_selector(".mode.stream")
    tab.page.evaluate("window.same = true")
    healthy.command("break node-3")
    tab.page.wait_for_selector(f"{SENTENCE}.faults:has-text('node-3: no connection')")
    tab.page.wait_for_selector("article.critical:has-text('kubectl describe node node-3')")
    tab.page.wait_for_selector("#announcer:has-text('New finding. node-3')", state="attached")
    tab.page.wait_for_selector("td.fail a[title^='node-1 to node-3: fails']")
    healthy.command("heal")
    tab.page.wait_for_selector(f"{SENTENCE}.healthy")
    tab.page.wait_for_selector("article", state="detached")
    tab.page.wait_for_selector("#announcer:has-text('Closed. node-3')", state="attached")
    tab.page.wait_for_selector(".closed-list:has-text('closed finding')")
    assert tab.page.evaluate("window.same")


def test_a_finding_that_becomes_worse_is_announced(tab: Tab, healthy: SimulatedHub) -> None:
    """A loss that grows from a warning to a critical fault is announced once more, and is no new finding."""
    tab.page.goto(healthy.address)
    tab.page.wait_for_selector(f"{SENTENCE}.healthy")
    healthy.command("lose node-3 1")
    tab.page.wait_for_selector("article.warning:has-text('node-3')")
    tab.page.wait_for_selector("#announcer:has-text('New finding. node-3')", state="attached")
    healthy.command("lose node-3 7")
    tab.page.wait_for_selector("article.critical:has-text('node-3')")
    tab.page.wait_for_selector("#announcer:has-text('Worse, critical. node-3')", state="attached")
    assert "New finding" not in tab.page.text_content("#announcer")
    tab.page.click("article.critical a[href*=finding]")
    tab.page.wait_for_selector(".life-line li:has-text('became worse 1 time')")


def test_the_count_of_escalations_decides_what_is_worse(tab: Tab, healthy: SimulatedHub) -> None:
    """The severity may stay the same. An answer of a replica that has counted less, and the next one, are no news."""
    escalations = [0]

    def answer(route: Any) -> None:
        """Count as the test wants, and show which answer this is."""
        there = route.fetch()
        found = there.json()
        for each in found["open"]:
            each |= {"escalations": escalations[-1], "what": f"answer {len(escalations)}"}
        route.fulfill(response=there, json=found)

    tab.page.route("**/api/v1/findings", answer)
    healthy.command("break node-3")
    tab.page.goto(healthy.address)
    tab.page.wait_for_selector("article.critical:has-text('answer 1')")
    for count, said in ((1, "answer 2"), (0, "answer 2"), (1, "answer 2"), (2, "answer 5")):
        escalations.append(count)
        tab.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # the page reads again
        tab.page.wait_for_selector(f"article:has-text('answer {len(escalations)}')")
        tab.page.wait_for_selector(f"#announcer:has-text('Worse, critical. node-3: {said}')", state="attached")
    tab.page.unroute_all(behavior="wait")


def test_without_a_stream_the_page_polls(tab: Tab, healthy: SimulatedHub) -> None:
    """Without the stream the page reads every few seconds, says so, and still shows a finding."""
    tab.expected = ("ERR_FAILED",)
    tab.page.route("**/api/v1/stream", lambda route: route.abort())
    tab.page.goto(healthy.address)
    tab.page.wait_for_selector(".mode.poll:has-text('every 5 s')")
    healthy.command("break node-3")
    tab.page.wait_for_selector(f"{SENTENCE}.faults:has-text('node-3')")


def test_the_page_reports_an_unreachable_hub(tab: Tab, tmp_path: Path) -> None:
    """The last answer is shown as old with its age, never as fresh. When the hub is back the page is live again."""
    tab.expected = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY")
    tab.expected += ("status of 503",)  # of a hub that has not closed its port yet: it ends its streams first
    with showing(3, tmp_path) as show:
        tab.page.goto(show.address)
        tab.page.wait_for_selector(f"{SENTENCE}.healthy")
        show.command("break node-2")
        tab.page.wait_for_selector("td.fail")
        show.stop()
        tab.page.wait_for_selector(".banner.bad:has-text('has not answered for')")
        tab.page.wait_for_selector(".mode.lost")
        assert "out of date" in tab.page.inner_text(".banner")
        tab.page.wait_for_selector("#announcer:text('The connection to the hub is lost.')", state="attached")
        for scheme in ("light", "dark"):
            tab.page.emulate_media(color_scheme=scheme)
            tab.page.evaluate(GREY)
            assert findings_of_axe(tab.page, scheme) == []
        said = tab.page.locator("[role=alert], [role=status], [aria-live]:not([aria-live=off])").all_text_contents()
        assert [each for each in said if re.search(r"\d s\b", each)] == []  # it would be read aloud each second
        assert tab.page.evaluate("getComputedStyle(document.querySelector('main')).filter") == "grayscale(1)"
        show.start()
        tab.page.wait_for_selector(".banner", state="detached")
        tab.page.wait_for_selector(".mode.stream")
        assert tab.page.evaluate("getComputedStyle(document.querySelector('main')).filter") == "none"


def test_old_results_are_drawn_as_stale(tab: Tab, healthy: SimulatedHub) -> None:
    """A cell whose results are older than two intervals is neither good nor bad, and shows their age."""
    healthy.command("old node-3")
    tab.page.goto(healthy.address)
    cell = tab.page.wait_for_selector("td.stale a[title^='node-3 to node-1: stale']")
    assert re.fullmatch(r".*: stale, .* \d+ min", cell.text_content())


def test_the_page_marks_pairs_that_nobody_probes(tab: Tab, large: SimulatedHub) -> None:
    """A pair without a path is `not probed` on the map, and its view says that this is neither good nor bad."""
    tab.page.goto(f"{large.address}?show=map")
    tab.page.focus(".map-box")
    for key in ("Home", "ArrowRight", "ArrowRight", "End"):
        tab.page.keyboard.press(key)
    tab.page.wait_for_selector("#map-reading:has-text('not probed')")
    tab.page.goto(f"{large.address}?view=path&from=node-1&to=node-500")
    tab.page.wait_for_selector(".note:has-text('Not probed is neither good nor bad')")


def test_the_time_machine_shows_the_moment_again(tab: Tab, healthy: SimulatedHub) -> None:
    """After a fault is over, a click shows its moment. The address contains it, and `Now` goes back."""
    healthy.command("break node-3")
    tab.page.goto(healthy.address)
    tab.page.wait_for_selector(f"{SENTENCE}.faults")
    tab.page.wait_for_selector("article .life:has-text('(3 s ago)')")  # it lasts beyond the second in which it opened
    healthy.command("heal")
    tab.page.wait_for_selector(f"{SENTENCE}.healthy")
    before, now = tab.page.get_by_label("To the change before"), tab.page.get_by_role("button", name="Now")
    tab.page.wait_for_selector(".track rect.close", state="attached")
    while not tab.page.locator(f"{SENTENCE}.faults:has-text('node-3')").count():
        address = tab.page.url
        before.click()
        tab.page.wait_for_function("before => location.href !== before", arg=address)
        moment = re.search(r"[?&]at=(\d+)", tab.page.url)
        tab.page.wait_for_selector(f".answer[data-at='{moment[1] if moment else 'now'}']")
    tab.page.wait_for_selector(".banner.past:has-text('You are looking at')")
    tab.page.wait_for_selector("td.fail a[title^='node-1 to node-3: fails']")
    assert re.search(r"[?&]at=\d+", tab.page.url)
    other = tab.page.context.new_page()
    other.goto(tab.page.url)
    other.wait_for_selector(f"{SENTENCE}.faults:has-text('node-3')")
    other.close()
    now.click()
    tab.page.wait_for_selector(f"{SENTENCE}.healthy")
    assert "at=" not in tab.page.url


def test_filters_are_in_the_address(tab: Tab, healthy: SimulatedHub) -> None:
    """A selection changes the address and the matrix. A reload and another view keep it, and back removes it."""
    tab.page.goto(healthy.address)
    tab.page.select_option("select[name=probe]", "udp")
    tab.page.wait_for_url("**/?probe=udp")
    tab.page.select_option("select[name=family]", "ipv6")
    tab.page.wait_for_selector(".note:has-text('No path between nodes to show')")
    tab.page.reload()
    tab.page.wait_for_selector(".note:has-text('No path between nodes to show')")
    assert tab.page.input_value("select[name=probe]") == "udp"
    tab.page.go_back()
    tab.page.wait_for_selector("td.ok a[title^='node-1 to node-3']")
    tab.page.get_by_role("link", name="Events").click()
    tab.page.wait_for_url("**/?view=events&probe=udp")


def test_the_page_has_no_animation_with_reduced_motion(chromium: Any, healthy: SimulatedHub) -> None:
    """No element has an animation, and with reduced motion no transition either."""
    with opened(chromium) as tab:
        tab.page.goto(healthy.address)
        tab.page.wait_for_selector(SENTENCE)
        moving = "[...document.querySelectorAll('*')].filter((each) => each.getAnimations().length).length"
        assert tab.page.evaluate(moving) == 0
        assert tab.page.evaluate("getComputedStyle(document.querySelector('.skip')).transitionDuration") == "0s"
