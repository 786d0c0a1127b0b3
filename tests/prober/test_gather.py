"""What all probers say together."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest

from smoker_prober.gather import Gathered, missing_of
from tests.conftest import BIN, Start

WELL = {"last": "success", "results": 3, "failures": []}


def path(target: str, **more: Any) -> dict[str, Any]:
    return {"probe": "tcp", "target": target, "plane": "pod", "family": "ipv4", **WELL, **more}


def snapshot(node: str, *paths: dict[str, Any], known: int = 1, network: str = "pod") -> dict[str, Any]:
    mesh = {"known": known, "probed": known, "paths": 1, "stale_since": None}
    return {"node": node, "network": network, "mesh": mesh, "paths": [*paths, path("smoker-server:8080", family="")]}


def gathered(*snapshots: dict[str, Any]) -> Gathered:
    return Gathered(snapshots, list(missing_of(snapshots)))


def test_a_whole_mesh_is_well() -> None:
    """One sentence; what the settings name is not counted among the paths between probers."""
    found = gathered(snapshot("a", path("b")), snapshot("b", path("a")))
    assert found.ok
    assert str(found) == "All 2 paths between 2 probers are well."


def test_a_path_that_failed_is_a_row() -> None:
    """From whom, to whom, by which way, and why."""
    bad = path("b", last="timeout", failures=[{"time": 0, "outcome": "timeout", "error": "wait: no answer within 5 s"}])
    found = gathered(snapshot("a", bad), snapshot("b", path("a")))
    head, row, _empty, sentence = str(found).splitlines()
    assert not found.ok
    assert head.split() == ["FROM", "TO", "PROBE", "PLANE", "FAMILY", "OUTCOME", "DETAIL"]
    assert row.split(maxsplit=6) == ["a", "b", "tcp", "pod", "ipv4", "timeout", "wait: no answer within 5 s"]
    assert sentence == "1 of 2 paths between 2 probers failed."


@pytest.mark.parametrize(
    ("snapshots", "words"),
    [
        ([snapshot("a"), snapshot("b", path("a"))], "The prober on a (pod) has results of 0 of its 1 paths to peers."),
        (
            [snapshot("a", path("b"), known=2), snapshot("b", path("a"))],
            "The prober on a (pod) knows 2 other nodes, but 1 of them answer here.",
        ),
        (
            [snapshot("a", path("b")), snapshot("b", path("a"), known=0)],
            "The prober on b (pod) knows 0 of 1 other nodes.",
        ),
        ([snapshot("a", path("b", results=0)), snapshot("b", path("a"))], "The prober on a (pod) has results of 0 of"),
        ([{**snapshot("a"), "mesh": None}], "The prober on a (pod) has no mesh."),
    ],
)
def test_what_is_missing_is_said(snapshots: list[dict[str, Any]], words: str) -> None:
    """A mesh that is not whole is no healthy one, even if nothing in it fails."""
    found = gathered(*snapshots)
    assert not found.ok
    assert words in str(found)


def test_the_command_asks_real_probers(start: Start, variables: dict[str, str]) -> None:
    """`once --mesh` says what a prober says, fails with it, and says it where nobody answers."""
    prober = start("smoker-prober", "run", **variables)
    port = prober.ports["ADMIN_PORT"]
    command = [str(BIN / "smoker-prober"), "once", "--mesh", f"127.0.0.1:{port}", "--mesh", "127.0.0.1:1"]
    environ = os.environ | variables | {"TEST_INTERVAL": "0.1", "TEST_TIMEOUT": "1"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "All 3 probes from node-1 were answered." in done.stdout
    assert "No prober behind 127.0.0.1:1 answers (1 addresses)." in done.stdout
    assert "The prober on node-1 (pod) has no mesh." in done.stdout
