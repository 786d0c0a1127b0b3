"""The commands that NOTES.txt shows after the installation."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.e2e.lines import RESULT
from tests.e2e.release import Release
from tests.images.command import run

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def said(shared: Release, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Each command of the notes with its output; a command that fails ends the test."""
    folder: Path = tmp_path_factory.mktemp("bin")
    (folder / "helm").symlink_to(shared.helm_program)
    path = {"PATH": f"{folder}:{os.environ['PATH']}"}
    commands = re.findall(r"^ {4}(\S.*)$", shared.helm("get", "notes", shared.name), flags=re.MULTILINE)
    return {command: run("sh", "-c", command, environ=path) for command in commands}


def of(said: dict[str, str], begin: str, word: str = "") -> str:
    """Return the output of the only command that begins so and contains this word."""
    (found,) = (text for command, text in said.items() if command.startswith(begin) and word in command)
    return found


def test_every_command_is_tested(said: dict[str, str]) -> None:
    """Every command is tested below."""
    known = ("helm test", "kubectl logs", "kubectl get pods", "kubectl get endpointslices")
    assert said
    assert [command for command in said if not command.startswith(known)] == []


def test_helm_test_passes_and_shows_its_log(said: dict[str, str]) -> None:
    """`helm test` passes and shows its log."""
    assert "All 3 probes" in of(said, "helm test")


def test_the_log_command_shows_every_node(said: dict[str, str], nodes: set[str]) -> None:
    """The log command shows results from each node."""
    texts = (line.partition("] ")[2] for line in of(said, "kubectl logs", "-l ").splitlines())
    assert {found["node"] for text in texts if (found := RESULT.fullmatch(text))} == nodes


def test_the_hub_command_shows_its_log(said: dict[str, str]) -> None:
    """The hub's log command shows the hub's log."""
    assert "smoker-hub started" in of(said, "kubectl logs", "deploy/")


def test_the_pods_command_shows_every_pod(shared: Release, said: dict[str, str]) -> None:
    """The pods command shows every pod of the release."""
    listed = {line.split()[0] for line in of(said, "kubectl get pods").splitlines()[1:]}
    assert listed >= {pod["metadata"]["name"] for pod in shared.pods()}


def test_the_endpoints_command_shows_every_port(shared: Release, said: dict[str, str]) -> None:
    """The EndpointSlice command shows an address for each echo port."""
    words = re.split(r"[\s,]+", of(said, "kubectl get endpointslices"))
    for component in ("tcp-echo", "udp-echo", "http-echo"):
        (pod,) = shared.pods(component)
        assert pod["status"]["podIP"] in words
