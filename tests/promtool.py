"""Programs of Debian's packages: Prometheus, its checker, Alertmanager."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import PATIENCE, eventually


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


@contextlib.contextmanager
def running(command: Sequence[str | Path], log: Path, answers: Callable[[], object]) -> Iterator[None]:
    """Run a server until the block ends, from when `answers` is true; an OSError of it means no answer."""
    with log.open("wb") as out:
        popen = subprocess.Popen(command, stdout=out, stderr=out)

    def ready() -> bool:
        assert popen.poll() is None, log.read_text()
        with contextlib.suppress(OSError):
            return bool(answers())
        return False

    try:
        eventually(f"{command[0]} answers", ready)
        yield
    finally:
        popen.kill()  # what it has stored is thrown away
        popen.wait(PATIENCE)
