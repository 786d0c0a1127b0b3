"""The commands that NOTES.txt shows after the installation."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.conftest import DIRECT
from tests.e2e.lines import RESULT
from tests.e2e.release import Release
from tests.images.command import run
from tests.notes import commands_in, forwards

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def notes(shared: Release) -> str:
    """The notes of the release."""
    return shared.helm("get", "notes", shared.name)


@pytest.fixture(scope="module")
def said(notes: str, shared: Release, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Each command of the notes that ends by itself, with its output; a command that fails ends the test."""
    folder: Path = tmp_path_factory.mktemp("bin")
    (folder / "helm").symlink_to(shared.helm_program)
    path = {"PATH": f"{folder}:{os.environ['PATH']}"}
    ending = [command for command in commands_in(notes) if not forwards(command)]
    return {command: run("sh", "-c", command, environ=path) for command in ending}


def of(said: dict[str, str], begin: str, word: str = "") -> str:
    """Return the output of the only command that begins so and contains this word."""
    (found,) = (text for command, text in said.items() if command.startswith(begin) and word in command)
    return found


def test_every_command_is_tested(notes: str) -> None:
    """Every command is tested below."""
    known = ("helm test", "kubectl logs", "kubectl port-forward", "kubectl get pods", "kubectl get endpointslices")
    found = commands_in(notes)
    assert {each for each in known if any(command.startswith(each) for command in found)} == set(known)
    assert [command for command in found if not command.startswith(known)] == []


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


def test_the_page_is_where_the_notes_say(notes: str) -> None:
    """While the port is forwarded, the page is at the address in the notes."""
    (command,) = filter(forwards, commands_in(notes))
    (address,) = re.findall(r"http://localhost:\d+/", notes)
    with subprocess.Popen(shlex.split(command), stdout=subprocess.PIPE, text=True) as forwarding:
        try:
            assert forwarding.stdout is not None
            assert forwarding.stdout.readline().startswith("Forwarding from ")
            with DIRECT.open(address, timeout=20) as answer:
                assert b"<title>" in answer.read()
        finally:
            forwarding.terminate()


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
