"""The matrix, single paths and single nodes of the API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from smoker_diagnosis.state import State
from smoker_hub.hub import Hub
from smoker_hub.web import export, matrix
from smoker_hub.web.sources import Sources
from smoker_hub.web.stream import Stream
from smoker_hub.web.views import Matrix
from tests.diagnosis.mesh import Cluster, nodes, two_zones
from tests.hub.stand_ins import WALL, ManualClock, hub_of, probers
from tests.hub.test_api import HOSTILE, ask

ZONES = two_zones(nodes(4), first=2)


def looked(*states: State) -> Iterator[Hub]:
    with probers(list(states)) as found:
        hub = hub_of(found, ManualClock())
        hub.look()
        yield hub


@pytest.fixture
def cut() -> Iterator[Hub]:
    """A hub with four nodes in two zones, of which the pod network of node-2 is cut off."""
    cluster = Cluster(nodes(4), zones=ZONES).fail(lambda link: link.touches("node-2") and "pod" in link.plane)
    yield from looked(*cluster.lose(lambda link: link == ("node-3", "node-4", "host", "ipv4"), 3).states())


def get(hub: Hub, path: str, query: str = "") -> Any:
    status, body, _ = ask(hub, f"/api/v1/{path}", query=query)
    assert status == 200, body
    return json.loads(body)


def cells(found: Any) -> dict[tuple[str, str], int]:
    """Map the names of row and column to the number of each cell."""
    read = msgspec.convert(found, Matrix, strict=False)  # the keys of JSON are text
    assert len(read.to) == len(read.state) == len(read.attempts) == len(read.rtt) == len(read.age)
    assert sum(read.counts) == len(read.to)
    rows = [name for name, count in zip(read.names, read.counts, strict=True) for _ in range(count)]
    return {(row, read.names[to]): number for number, (row, to) in enumerate(zip(rows, read.to, strict=True))}


def letters(found: Any) -> dict[tuple[str, str], str]:
    return {pair: found["state"][number] for pair, number in cells(found).items()}


def test_a_cell_sums_up_its_paths(cut: Hub) -> None:
    """A cell has all planes of a pair, and fails partly if one plane works.

    It has failed attempts, loss, age and zones.
    """
    found = get(cut, "matrix")
    number = cells(found)
    states = letters(found)
    assert (found["by"], found["at"], found["left_out"]) == ("node", WALL + 1000.0, 0)
    assert [found["zone_names"][place] for place in found["zones"]] == ["a", "a", "b", "b"]
    assert states["node-1", "node-2"] == states["node-2", "node-3"] == "p"
    assert states["node-1", "node-3"] == "o"
    assert states["node-3", "node-4"] == "l"
    assert found["attempts"][number["node-1", "node-2"]] == 4 * 3 * 3
    assert found["failed"][str(number["node-1", "node-2"])] == 3 * 3 * 3
    assert str(number["node-1", "node-3"]) not in found["failed"]
    assert found["loss"] == {str(number["node-3", "node-4"]): 3 / 120}
    assert found["age"][0] == 20


def test_filters_choose_the_paths_that_count(cut: Hub) -> None:
    """Plane, family, probe, source and target select the paths; a pair without such a path has no cell."""
    assert letters(get(cut, "matrix", "plane=pod"))["node-1", "node-2"] == "f"
    assert letters(get(cut, "matrix", "plane=host"))["node-1", "node-2"] == "o"
    assert get(cut, "matrix", "family=ipv6")["state"] == ""
    assert get(cut, "matrix", "plane=pod&probe=tcp")["attempts"] == [3] * 12
    one = get(cut, "matrix", "plane=pod&from=node-1&to=node-2")
    assert letters(one) == {("node-1", "node-2"): "f"}


def test_zones_sum_up_their_nodes(cut: Hub) -> None:
    """Two zones have four cells, including those inside a zone."""
    found = get(cut, "matrix", "by=zone&plane=pod")
    assert letters(found) == {("a", "a"): "f", ("a", "b"): "p", ("b", "a"): "p", ("b", "b"): "o"}
    assert (found["by"], found["zones"]) == ("zone", [])


def test_the_worst_rows_stay_within_the_limit(cut: Hub) -> None:
    """Omitted cells are counted, and failing cells are not omitted first."""
    found = get(cut, "matrix", "plane=pod&limit=4")
    assert found["left_out"] == 8
    states = letters(found)
    assert {pair for pair in states if pair[0] == "node-2"} == {("node-2", f"node-{number}") for number in (1, 3, 4)}
    assert set(states.values()) == {"f"}


def test_unknown_cells_are_neither_good_nor_bad() -> None:
    """A path without a result, one whose prober lacked CPU, and an old result are neither failures nor successes."""
    cluster = Cluster(nodes(4), services=False).fail(lambda link: link.source == "node-1")
    fresh, starved, old, well = (each for each in cluster.states() if each.network == "pod")
    fresh = msgspec.structs.replace(
        fresh, paths=[msgspec.structs.replace(each, last="", at=0.0, attempts=0, failures={}) for each in fresh.paths]
    )
    failing = [msgspec.structs.replace(each, last="timeout") for each in starved.paths]
    starved = msgspec.structs.replace(starved, starved=True, paths=failing)
    old = msgspec.structs.replace(old, at=old.at + 46.0)
    for hub in looked(fresh, starved, old, well):
        found = get(hub, "matrix", "plane=pod")
        states = {pair[0]: letter for pair, letter in letters(found).items()}
        assert states == {"node-1": "u", "node-2": "u", "node-3": "s", "node-4": "o"}
        assert found["age"][0] == -1


def test_an_unchanged_matrix_costs_no_body(cut: Hub) -> None:
    """The ETag of one look is the same, and If-None-Match gets a 304; other parameters have another ETag."""
    path = "/api/v1/matrix"
    tag = ask(cut, path)[2]["ETag"]
    status, body, headers = ask(cut, path, tag=f'"other", W/{tag}')
    assert (status, body, headers["ETag"]) == (304, b"", tag)
    assert headers["Cache-Control"] == "no-cache"
    assert ask(cut, path, query="plane=pod", tag=tag)[0] == 200


def test_the_matrices_of_one_look_are_kept(cut: Hub) -> None:
    """The same request costs nothing until the next look. Other parameters are another request, and few are kept."""
    sources = Sources(hub=cut, stream=Stream(cut))
    values = {**export.ALL, "by": "node", "limit": 10}
    first = matrix.answer(sources, values)
    assert matrix.answer(sources, dict(values)) is first
    assert matrix.answer(sources, {**values, "plane": "pod"}) != first
    for limit in range(1, 100):
        matrix.answer(sources, {**values, "limit": limit})
    assert len(sources.matrices) == matrix.KEPT
    cut.clock.instant += 5.0  # type: ignore[attr-defined]
    cut.look()
    assert matrix.answer(sources, values).at == first.at + 5.0  # type: ignore[operator]
    assert len(sources.matrices) == 1


def test_the_matrix_as_text(cut: Hub) -> None:
    """Text has a letter per cell with a legend; above forty nodes a line for each cell that does not work."""
    text = ask(cut, "/api/v1/matrix", query="plane=pod&format=text")[1].decode().splitlines()
    assert text[0].split() == ["FROM", "1", "2", "3", "4"]
    assert text[1].split() == ["1", "node-1", "-", "f", "o", "o"]
    assert "f fails" in text[-1]
    assert text[-1].endswith(", - not probed")
    limited = ask(cut, "/api/v1/matrix", query="plane=pod&limit=4&format=text")[1].decode().splitlines()
    assert (limited[-2].endswith(", - not probed or left out"), limited[-1]) == (True, "8 more cells are left out.")
    big = Cluster(nodes(50), host=False, services=False).fail(lambda link: link == ("node-7", "node-8", "pod", "ipv4"))
    for hub in looked(*big.states()):
        wide = ask(hub, "/api/v1/matrix", query="format=text")[1].decode().splitlines()
        assert [line.split()[:2] for line in wide] == [["FROM", "TO"], ["node-7", "node-8"]]
    assert ask(hub_of([], ManualClock()), "/api/v1/matrix", query="format=text")[1] == b"No path is known.\n"


def test_paths_between_two_nodes(cut: Hub) -> None:
    """Each probe and plane is listed, the worst first, with counts, ages and zones; ids are unique and stable."""
    found = get(cut, "paths", "from=node-1&to=node-2")
    assert (found["at"], found["left_out"]) == (WALL + 1000.0, 0)
    assert [path["state"] for path in found["paths"]] == ["f"] * 9 + ["o"] * 3
    first = found["paths"][0]
    assert (first["source"], first["target"], first["source_zone"], first["target_zone"]) == (
        "node-1",
        "node-2",
        "a",
        "a",
    )
    assert (first["outcome"], first["failed"], first["failures"]) == ("timeout", 3, {"timeout": 3})
    assert (first["age"], first["failing_seconds"]) == (20.0, 80.0)
    assert len({path["id"] for path in found["paths"]}) == 12
    assert found == get(cut, "paths", "from=node-1&to=node-2")


def test_paths_to_a_service_and_their_limit(cut: Hub) -> None:
    """A target need not be a node. Omitted paths are counted, and without an end all paths count."""
    found = get(cut, "paths", "to=echo:8080&limit=3")
    assert [path["role"] for path in found["paths"]] == ["service"] * 3
    assert found["left_out"] == 8 - 3
    everything = get(cut, "paths", "limit=30")
    assert {path["state"] for path in everything["paths"]} == {"f"}
    assert everything["left_out"] == 4 * (2 * 3 * 6 + 2 * 3 + 2 * 3) - 30


def test_a_node_with_what_fails_there(cut: Hub) -> None:
    """A node has its probers, the findings that name it in full, and the failing paths of both directions."""
    cut.look()
    found = get(cut, "nodes/node-2")
    assert [prober["network"] for prober in found["probers"]] == ["host", "pod"]
    assert [each["headline"].partition(":")[0] for each in found["findings"]] == ["FAULT node-2"]
    assert {"node-2"} == {name for path in found["failing"] for name in (path["source"], path["target"])} & {"node-2"}
    assert all("node-2" in (path["source"], path["target"]) for path in found["failing"])
    assert len(found["failing"]) == 2 * 3 * 3 * 3
    assert found["paths_from"] == found["paths_to"] == 3 * (3 * 4 + 2)
    assert ask(cut, "/api/v1/nodes/node-9")[0] == 404


def test_a_hostile_name_is_a_path_of_its_own() -> None:
    """A name with a slash, markup and line ends is found by its percent-encoded path."""
    name = f"{HOSTILE}/../é"
    for hub in looked(*Cluster([*nodes(2), name]).states()):
        path = "/api/v1/nodes/" + name.encode().decode("latin-1")
        status, body, _ = ask(hub, path)
        assert (status, json.loads(body)["node"]) == (200, name)
        assert ask(hub, "/api/v1/nodes/\xff")[0] == 400
        assert "\u202e" not in ask(hub, "/api/v1/matrix", query="format=text")[1].decode()
