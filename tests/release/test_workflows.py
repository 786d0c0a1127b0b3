"""The workflows of .github, and the programs that CI needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import PROGRAMS, missing_programs
from tests.images.command import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
BY_NAME = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def jobs(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load(path.read_text())["jobs"].values())


@BY_NAME
def test_actions_are_pinned(path: Path) -> None:
    """Each action is named by a commit, with its version beside it: a tag can be moved, a commit cannot."""
    for line in re.findall(r"uses: (.*)", path.read_text()):
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)


@BY_NAME
def test_least_permissions(path: Path) -> None:
    """A workflow has no permission, each job names its own and has a time limit; no token stays in a checkout."""
    assert yaml.safe_load(path.read_text())["permissions"] == {}
    for job in jobs(path):
        expected = {"contents": "read", "packages": "write"} if path.stem == "release" else {"contents": "read"}
        assert job["permissions"] == expected
        assert job["timeout-minutes"] <= 90
        for step in job["steps"]:
            if "checkout@" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False


@BY_NAME
def test_steps_are_make_targets(path: Path) -> None:
    """Each command is a target of the Makefile, so that it runs the same on a developer's machine."""
    commands = [step["run"] for job in jobs(path) for step in job["steps"] if "run" in step]
    assert commands
    for command in commands:
        found = re.match(r"(?:sudo )?make ([a-z0-9-]+)", command)
        assert found, command
        assert found[1] in TARGETS, command


def test_a_missing_program_is_noticed() -> None:
    """CI's list names what is missing, and comments and empty lines are none of it."""
    assert missing_programs("# sh\n\nsh dash\nno-such-program package\n") == ["no-such-program"]
    assert len(PROGRAMS.read_text().splitlines()) > 10
