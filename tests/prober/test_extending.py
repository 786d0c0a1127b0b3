"""docs/extending.md adds a probe by a diff: it fits the source, touches four places, and its test passes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "extending.md"
PROBES = "services/prober/src/smoker_prober/probes"
TOUCHED = [
    "services/prober/README.md",
    f"{PROBES}/__init__.py",
    f"{PROBES}/banner.py",
    "tests/prober/probes/test_banner.py",
]
COPIED = (
    "pyproject.toml",
    "services/prober",
    *(
        f"tests/{name}"
        for name in ("conftest.py", "no_skips.py", "prober/conftest.py", "prober/targets.py", "prober/probes_table.py")
    ),
)


def the_diff() -> str:
    (found,) = re.findall(r"```diff\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(found)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The source that the diff concerns, with the diff applied."""
    for name in COPIED:
        there = tmp_path / name
        there.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, there, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, there)
    apply = ["git", "apply", "-C1", "-"]
    done = subprocess.run(apply, check=False, cwd=tmp_path, input=the_diff(), text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return tmp_path


def run(tree: Path, *arguments: str) -> None:
    """Run Python on the changed source."""
    # The lines of a copy are not the source's: they do not count for its coverage.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    environ = inherited | {"PYTHONPATH": f"{tree / 'services/prober/src'}:{tree}", "CI": ""}
    done = subprocess.run(
        [sys.executable, *arguments], check=False, cwd=tree, env=environ, text=True, capture_output=True
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_it_touches_four_places() -> None:
    """A file, a line and its import, a row, and a test."""
    assert re.findall(r"^diff --git a/(\S+) b/", the_diff(), re.MULTILINE) == TOUCHED
    lines = the_diff().split("diff --git ")[2].splitlines()
    assert [each for each in lines if re.match(r"[-+](?![-+])", each)] == [
        "+    banner,",
        '+    "banner": banner.probe,',
    ]


def test_its_test_passes(tree: Path) -> None:
    """The new probe works by hand and by URL, and its row is the one that the command makes."""
    run(tree, "-m", "pytest", "-q", "tests/prober/probes/test_banner.py")
    run(tree, "-c", "from tests.prober.probes_table import README, written; assert README.read_text() == written()")
    run(tree, "-m", "smoker_prober", "probe", "banner", "--help")
