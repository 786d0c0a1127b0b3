"""An older chart out of this repository's history: that of the last release, or a fixed commit's."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from tests.images.command import ROOT

#: A chart from before the ConfigMap of the plan and the receivers of notifications.
FIXED = "2472f44a9f3bc6a8b8e31ebff5c3cd059dda4094"


def old_commit() -> str:
    """Return the tag of the last release before this commit, or the fixed commit."""
    described = _git("describe", "--tags", "--abbrev=0", "--match=v[0-9]*", "HEAD^")
    return described.stdout.decode().strip() if described.returncode == 0 else FIXED


def old_chart(folder: Path) -> Path:
    """Write the older chart into a folder and return its path."""
    commit = old_commit()
    done = _git("archive", "--format=tar", commit, "charts/smoker")
    assert done.returncode == 0, f"the history lacks {commit}, as a shallow clone does: {done.stderr.decode()}"
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "charts" / "smoker"


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=False, capture_output=True, timeout=30)
