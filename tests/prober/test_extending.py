"""docs/extending.md adds a probe by a diff: it fits the source, touches five places, and its tests pass."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "extending.md"
PROBES = "services/prober/src/smoker_prober/probes"
TOUCHED = [
    "docs/logs.md",
    "services/prober/README.md",
    f"{PROBES}/__init__.py",
    f"{PROBES}/banner.py",
    "tests/prober/probes/test_banner.py",
]
COPIED = (
    "pyproject.toml",
    "services/prober",
    "charts/smoker",
    *(f"docs/{name}" for name in ("configuration.md", "logs.md", "plan.schema.json")),
    *(f"tests/{name}" for name in ("conftest.py", "no_skips.py", "images/command.py", "chart/values_table.py")),
    *(
        f"tests/prober/{name}"
        for name in (
            "config/pages.py",
            "config/plan_schema.py",
            "conftest.py",
            "probes_table.py",
            "sinks/test_json_fields.py",
            "targets.py",
        )
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


def test_it_touches_five_places() -> None:
    """A file, a line and its import, a row for the probe and one for its field, and a test."""
    assert re.findall(r"^diff --git a/(\S+) b/", the_diff(), re.MULTILINE) == TOUCHED
    lines = the_diff().split("diff --git ")[3].splitlines()
    assert [each for each in lines if re.match(r"[-+](?![-+])", each)] == [
        "+    banner,",
        '+    "banner": banner.probe,',
    ]


def test_its_tests_pass(tree: Path) -> None:
    """The new probe works by hand and by URL, its field has a row, and its own row is what the command makes."""
    run(tree, "-m", "pytest", "-q", "tests/prober/probes/test_banner.py", "tests/prober/sinks/test_json_fields.py")
    run(tree, "-c", "from tests.prober.probes_table import README, written; assert README.read_text() == written()")
    run(tree, "-m", "smoker_prober", "probe", "banner", "--help")


def test_the_chart_knows_it(tree: Path) -> None:
    """After the command the chart takes targets of the new probe by URL, and the network policy knows their port."""
    run(tree, "-m", "tests.prober.config.pages", "--write")
    schema = json.loads((tree / "charts" / "smoker" / "values.schema.json").read_text())
    targets = Draft7Validator(
        {**schema["properties"]["prober"]["properties"]["targets"], "definitions": schema["definitions"]}
    )
    assert targets.is_valid({"mail": "banner://h:25?protocol=220", "ssh": {"url": "banner://h"}})
    assert not targets.is_valid({"mail": {"url": "banner://h", "tls": {}}})
    ports = yaml.safe_load((tree / "charts" / "smoker" / "probes.yaml").read_text())
    assert ports["schemes"]["banner"] == {"probe": "banner", "transport": "tcp", "port": 22}
