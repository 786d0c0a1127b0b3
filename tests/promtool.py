"""Prometheus' own checker, of Debian's `prometheus` package."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def installed(program: str) -> None:
    """Skip a test that needs a program of that package and has none; in CI, fail it."""
    if shutil.which(program) is None:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say(f"{program} is not installed: apt-get install prometheus")


def promtool(*arguments: str | Path, text: str = "", folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run `promtool` in `folder` with `text` on its stdin. Without it a test is skipped, in CI it fails."""
    installed("promtool")
    return subprocess.run(
        ["promtool", *arguments], input=text, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
