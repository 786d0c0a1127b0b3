"""Samples in docs/hub.md, troubleshooting.md and mesh.md match the output, and the list of text forms the routes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from smoker_diagnosis import text
from smoker_hub.history import events
from smoker_hub.history.recorder import EVENTS
from smoker_hub.nodes import Word
from smoker_hub.web.routes import ROUTES
from tests.diagnosis.mesh import Cluster, nodes
from tests.diagnosis.test_traces import trace
from tests.hub.stand_ins import ManualClock, hub_of, probers
from tests.hub.test_hub import become

DOCS = Path(__file__).parents[2] / "docs"
LOG_LINE = re.compile(r"\[[-0-9]{10} [:0-9]{8}\] \[([A-Z]+)\] (.*?)(?: id=([0-9a-f]+))?")
DEAD = "node-3"


def overlay_dead() -> Cluster:
    """Return a mesh in which the overlay of a node is dead: two rounds failed, the last one six seconds ago."""
    return Cluster(nodes(3)).fail(
        lambda link: link.touches(DEAD) and link.plane == "pod" and link.source != link.target, rounds=2, ago=6.0
    )


def sample(document: str, first: str) -> list[str]:
    """Return the lines from the one with `first` to the end of its block."""
    lines = (DOCS / document).read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if first in line)
    block = lines[start:]
    return block[: next(number for number, line in enumerate(block) if not line or line.startswith("```"))]


def test_the_samples_in_the_documents_match_the_output(records: list[str]) -> None:
    """The hub's log of a fault that opens, is traced and closes, and what `once --mesh` prints of the same finding."""
    clock = ManualClock()
    with probers(overlay_dead().states()) as found:
        hub = hub_of(found, clock, cluster="")
        hub.look()
        hub.look()
        (incident,) = hub.incidents.open
        opened = text.lines(incident.finding)
        traced = overlay_dead()
        trace(traced, lambda link: link.plane == "pod" and link.touches(DEAD), 1, "10.244.1.1")
        become(found, traced)
        hub.look()
        become(found, Cluster(nodes(3)))
        for _ in range(3):
            clock.instant += 5.0
            hub.look()
    printed = []
    for line in sample("hub.md", f"FAULT {DEAD}: "):
        match = LOG_LINE.fullmatch(line)
        assert match is not None, line
        level, message, name = match.groups()
        printed.append(f"{level} {message} { ({'id': name} if name else {}) }")
    assert printed == [line for line in records if "HEALTHY" not in line]
    assert sample("troubleshooting.md", f"FAULT {DEAD}: ") == sample("hub.md", f"FAULT {DEAD}: ")
    assert [line.removeprefix("    ") for line in sample("mesh.md", f"    FAULT {DEAD}: ")] == opened


def test_each_kind_of_event_is_listed() -> None:
    """The table of docs/hub.md has each kind of event of the history, and no others."""
    of_looks = re.findall(r'HistoryEvent\("(\w+)"', Path(events.__file__).read_text())
    of_nodes = {f"node_{word}" for word in get_args(Word)}
    table = (DOCS / "hub.md").read_text().partition("\n| event | |\n")[2].partition("\n\n")[0]
    listed = [kind for row in table.splitlines() for kind in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(listed) == sorted({*of_looks, *of_nodes, *EVENTS.values()})


def test_the_forms_in_text_are_listed() -> None:
    """docs/hub.md names each route that has a text form, in the order of the routes."""
    with_text = [
        route.path.removeprefix("/api/v1/").replace("{id}", "ID") for route in ROUTES if route.text is not None
    ]
    listed = re.search(r"text with `\?format=text` or `Accept: text/plain` \(([^)]*)\)", (DOCS / "hub.md").read_text())
    assert listed is not None
    assert listed[1].split(", ") == with_text
