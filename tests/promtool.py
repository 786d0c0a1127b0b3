"""Prometheus and its own checker, of Debian's `prometheus` package."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def installed(program: str, package: str = "prometheus") -> str:
    """Return the path of one of a Debian package's programs. Without it a test is skipped, in CI it fails."""
    path = shutil.which(program)
    if path is None:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say(f"{program} is not installed: apt-get install {package}")
    return path


def promtool(*arguments: str | Path, text: str = "", folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run `promtool` in `folder` with `text` on its stdin. Without it a test is skipped, in CI it fails."""
    command = [installed("promtool"), *arguments]
    return subprocess.run(command, input=text, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
