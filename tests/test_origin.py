"""The line that says where a written table comes from."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.origin import origin


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a page and code, all of it in one commit."""
    for name in ("page.md", "code.py"):
        (tmp_path / name).write_text("\n")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for arguments in (["init"], ["add", "."], [*who, "commit", "--message", "first"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def line(root: Path) -> str:
    return origin("tests.a_table", ["--row", "one way", "--write"], root / "page.md", root)


def test_it_has_date_commit_and_command(repository: Path) -> None:
    """The command can be pasted into a shell. A page that an earlier run has changed is no other code."""
    (repository / "page.md").write_text("a table\n")
    command = "`python -m tests.a_table --row 'one way' --write`"
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d, commit [0-9a-f]{{8}}: {command}", line(repository))


def test_it_says_that_the_code_differs_from_the_commit(repository: Path) -> None:
    """Then the commit alone does not repeat the table."""
    (repository / "code.py").write_text("changed\n")
    assert re.search(r"commit [0-9a-f]{8} with changes: ", line(repository))


def test_without_a_repository_the_commit_is_unknown(tmp_path: Path) -> None:
    """The line is written all the same."""
    assert "unknown commit: " in line(tmp_path)
