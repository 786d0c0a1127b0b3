"""What all probers say together."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest

from smoker_prober.gather import SHOWN, Answer, Gathered, missing_of
from tests.conftest import BIN, Start

WELL = {"last": "success", "failures": [], "failed_in_a_row": 0, "recent_loss_ratio": None, "zone": ""}
BAD = {"last": "timeout", "failed_in_a_row": 2}
FAILURE = {"time": 0, "outcome": "timeout", "error": "wait: no answer within 5 s"}


def path(target: str, **more: Any) -> dict[str, Any]:
    return {"probe": "tcp", "target": target, "plane": "pod", "family": "ipv4", **WELL, **more}


def snapshot(node: str, *paths: dict[str, Any], probers: int = 1, network: str = "pod") -> dict[str, Any]:
    mesh = {"known": probers, "probers": probers, "probed": probers, "paths": 1, "stale_since": None}
    fixed = [path("smoker-server:8080", plane="", family=""), path("api", plane="other", family="", last="refused")]
    return {"node": node, "network": network, "zone": "", "mesh": mesh, "paths": [*paths, *fixed]}


def gathered(*snapshots: dict[str, Any]) -> Gathered:
    answers = [Answer.of(each) for each in snapshots]
    return Gathered(answers, list(missing_of(answers)))


def test_a_whole_mesh_is_well() -> None:
    """One sentence. The way to the echo services counts; other targets do not, for they are not Smoker's."""
    found = gathered(snapshot("a", path("b")), snapshot("b", path("a")))
    assert found.ok
    assert str(found) == "All 4 paths of 2 probers are well."


def test_a_path_that_is_not_well_is_a_row() -> None:
    """From whom, to whom, by which way, and why; those that have no result yet come last."""
    bad = path("b", **BAD, failures=[FAILURE])
    found = gathered(snapshot("a", path("c", last=""), bad), snapshot("b", path("a")), snapshot("c", path("a")))
    head, failed, waiting, _empty, sentence, *_missing = str(found).splitlines()
    assert not found.ok
    assert head.split() == ["FROM", "TO", "PROBE", "PLANE", "FAMILY", "OUTCOME", "DETAIL"]
    assert failed.split(maxsplit=6) == ["a", "b", "tcp", "pod", "ipv4", "timeout", "wait: no answer within 5 s"]
    assert waiting.split(maxsplit=5) == ["a", "c", "tcp", "pod", "ipv4", "no result yet  -"]
    assert sentence == "1 of 7 paths of 3 probers failed, 1 have no result yet."


def test_the_way_to_the_echo_services_counts() -> None:
    """A node that does not reach the Service is told of, though all peers are well."""
    bad = path("smoker-server:8080", plane="", family="", **BAD, failures=[FAILURE])
    found = gathered(snapshot("a", path("b"), bad), snapshot("b", path("a")))
    assert str(found).splitlines()[1].split(maxsplit=6)[:6] == ["a", "smoker-server:8080", "tcp", "-", "-", "timeout"]


def test_what_is_at_fault_is_said() -> None:
    """By all of them together: a sentence after the rows, with its evidence."""
    nodes = ("a", "b", "c")
    bad = {**BAD, "failures": [FAILURE]}
    snapshots = [
        snapshot(
            one, *(path(other, **(bad if "b" in (one, other) else {})) for other in nodes if other != one), probers=2
        )
        for one in nodes
    ]
    *_rows, sentence, finding = str(gathered(*snapshots)).splitlines()
    assert sentence == "4 of 9 paths of 3 probers failed."
    assert finding == (
        "At fault: b; the pods' network (overlay, or a policy) or the nodes' (hostNetwork.enabled tells them apart): "
        "4 of 6 ways of plane pod fail."
    )


def test_loss_is_said_though_all_was_answered() -> None:
    """It fails nothing, for what was asked was answered; but it is no mesh that is well."""
    nodes = ("a", "b", "c")

    def way(one: str, other: str) -> dict[str, Any]:
        return path(other, probe="udp", recent_loss_ratio=0.2 if "b" in (one, other) else 0.0)

    snapshots = [snapshot(one, *(way(one, other) for other in nodes if other != one), probers=2) for one in nodes]
    found = gathered(*snapshots)
    sentence, finding = str(found).splitlines()
    assert found.ok
    assert sentence == "All 9 paths of 3 probers were answered."
    assert finding.startswith("At fault: b; loss, the pods' network (overlay, or a policy) or the nodes'")


def test_a_table_that_would_help_nobody_is_cut() -> None:
    """Of thousands of rows the first are shown, and how many more there are."""
    bad = [path(f"n{number}", **BAD, failures=[FAILURE]) for number in range(SHOWN + 7)]
    lines = str(gathered(snapshot("a", *bad), snapshot("b", path("a")))).splitlines()
    assert [line for line in lines if line.startswith("a ")] == lines[1 : SHOWN + 1]
    assert lines[SHOWN + 1] == "… and 7 more."


@pytest.mark.parametrize(
    ("snapshots", "words"),
    [
        ([snapshot("a"), snapshot("b", path("a"))], "The prober on a (pod) probes 0 of its 1 paths to peers."),
        (
            [snapshot("a", path("b"), probers=2), snapshot("b", path("a"))],
            "The prober on a (pod) knows 2 other probers, but 1 of them answer here.",
        ),
        (
            [snapshot("a", path("b")), snapshot("b", path("a"), probers=0)],
            "The prober on b (pod) knows 0 of 1 other probers.",
        ),
        (
            [snapshot("a", path("b"), probers=1), snapshot("a", path("b"), network="host"), snapshot("b", path("a"))],
            "The prober on b (pod) knows 1 of 2 other probers.",
        ),
        ([{**snapshot("a"), "mesh": None}, snapshot("b", path("a"))], "The prober on a (pod) has no mesh."),
    ],
)
def test_what_is_missing_is_said(snapshots: list[dict[str, Any]], words: str) -> None:
    """A prober knows too few, is known and does not answer, does not probe all its paths, or has no mesh."""
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
    assert "No prober behind 127.0.0.1:1 answers (1 address: connection refused)." in done.stdout
    assert "The prober on node-1 (pod) has no mesh." in done.stdout
