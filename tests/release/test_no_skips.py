"""CI fails where a test is skipped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.images.command import ROOT
from tests.no_skips import ALLOWED

SKIPPED = """
import pytest

def test_inside():
    pytest.skip({reason!r})

@pytest.mark.skipif(True, reason={reason!r})
def test_marked():
    pass

@pytest.fixture
def missing():
    pytest.skip({reason!r})

def test_by_a_fixture(missing):
    pass

@pytest.mark.xfail
def test_that_may_fail():
    assert False
"""


def outcome(folder: Path, ci: str, reason: str) -> tuple[str, bool]:
    """Run three tests that are skipped, each in another manner; return the totals, and whether CI complained."""
    file = folder / "test_skipped.py"
    file.write_text(SKIPPED.format(reason=reason))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.no_skips", "-p", "no:cacheprovider", str(file)]
    environ = os.environ | {"CI": ci, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""}
    options = ["--rootdir", str(folder), "-c", os.devnull]
    done = subprocess.run([*command, *options], cwd=folder, env=environ, check=False, capture_output=True, text=True)
    return done.stdout.splitlines()[-1].partition(" in ")[0], "which CI does not allow" in done.stdout


@pytest.mark.parametrize(
    ("ci", "reason", "expected"),
    [
        ("true", "no compiler", "1 failed, 1 xfailed, 2 errors"),
        ("", "no compiler", "3 skipped, 1 xfailed"),
        ("true", f"{next(iter(ALLOWED))} and why", "3 skipped, 1 xfailed"),
    ],
)
def test_a_skip_fails_in_ci(tmp_path: Path, ci: str, reason: str, expected: str) -> None:
    """A skip in the test, by a mark or by a fixture fails in CI; elsewhere, and for an allowed reason, it does not."""
    assert outcome(tmp_path, ci, reason) == (expected, "1 failed" in expected)
