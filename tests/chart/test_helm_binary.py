from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from . import helm_binary
from .render import Helm


def test_other_platforms(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On a platform for which no Helm can be downloaded, the message contains the remedy."""
    monkeypatch.setenv("HELM_CACHE", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(helm_binary.HelmMissingError, match="Put Helm 4 on the PATH"):
        helm_binary.downloaded(4)


@pytest.mark.parametrize(
    ("ci", "named", "needed"), [("true", "", True), ("true", "/bin/helm", False), ("", "", False), ("false", "", False)]
)
def test_needed(monkeypatch: pytest.MonkeyPatch, ci: str, named: str, needed: bool) -> None:
    """A missing Helm is a failure only in CI, and only if HELM does not name one."""
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("HELM", named)
    assert helm_binary.needed() is needed


def test_program(any_helm: Helm) -> None:
    """The module runs as Helm, which the Makefile uses on a machine without Helm."""
    command = [sys.executable, "-m", "tests.chart.helm_binary", "version", "--short"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=helm_binary.ROOT)
    assert done.stdout.startswith(f"v{any_helm.major}.")


@pytest.mark.parametrize("says", ["", "echo 1.2.3", "exit 1"])
def test_no_helm(tmp_path: Path, says: str) -> None:
    """A program that is not Helm is refused by name and not executed further."""
    program = tmp_path / "helm"
    program.write_text(f"#!/bin/sh\n{says}\n")
    program.chmod(0o755)
    with pytest.raises(helm_binary.HelmMissingError, match=str(program)):
        helm_binary.major_of(str(program))
