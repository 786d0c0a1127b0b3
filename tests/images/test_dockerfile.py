"""What the Dockerfile must not ask of a base, so that any base with Python can stand in. No engine is needed."""

from __future__ import annotations

import re

from tests.images.command import ROOT

TEXT = (ROOT / "Dockerfile").read_text()
INSTRUCTIONS = re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE).replace("\\\n", " ")


def test_no_package_manager() -> None:
    """No package manager, and no shell but the POSIX one."""
    assert re.findall(r"\b(apt|apt-get|apk|dnf|yum|microdnf|bash|SHELL)\b", INSTRUCTIONS) == []


def test_no_frontend() -> None:
    """No `# syntax=` line, which would fetch a build frontend from a registry."""
    assert not re.search(r"^#\s*syntax\s*=", TEXT, flags=re.MULTILINE)


def test_locked() -> None:
    """Whatever pip installs from an index obeys constraints.txt, and is cached between builds."""
    runs = [line for line in INSTRUCTIONS.splitlines() if line.startswith("RUN ") and " pip " in line]
    indexed = [line for line in runs if "--no-deps" not in line]
    assert indexed
    for line in indexed:
        assert "--constraint constraints.txt" in line
        assert "--mount=type=cache," in line
