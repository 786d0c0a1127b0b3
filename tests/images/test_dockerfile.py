"""What the Dockerfile must not need of a base, so that any base with Python works. No engine is needed."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.images import engine
from tests.images.command import ROOT

TEXT = (ROOT / "Dockerfile").read_text()
INSTRUCTIONS = re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE).replace("\\\n", " ")


def test_no_package_manager() -> None:
    """No package manager, and no shell but the POSIX one."""
    assert re.findall(r"\b(apt|apt-get|apk|dnf|yum|microdnf|bash|SHELL)\b", INSTRUCTIONS) == []


def test_no_frontend() -> None:
    """No `# syntax=` line, which would fetch a build frontend from a registry."""
    assert not re.search(r"^#\s*syntax\s*=", TEXT, flags=re.MULTILINE)


def test_every_download_is_checked_against_its_hash() -> None:
    """Every download of pip is checked against its hash, and cached between builds."""
    runs = [line for line in INSTRUCTIONS.splitlines() if line.startswith("RUN ")]
    commands = [
        (line, command)
        for line in runs
        for command in line.split("&&")
        if re.search(r" pip .*(install|wheel) ", command)
    ]
    indexed = [(line, command) for line, command in commands if "--no-index" not in command and "ours" not in command]
    assert len(indexed) == 2
    for line, command in indexed:
        assert "--require-hashes" in command
        assert "--mount=type=cache," in line


def locked(file: str) -> dict[str, str]:
    """Return the versions of a file of dev/release, by package."""
    text = (ROOT / "dev" / "release" / file).read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, flags=re.MULTILINE))


def test_each_package_is_pinned_with_hashes() -> None:
    """Each package of the images is pinned to a version of constraints.txt, with hashes and without a host."""
    constraints = dict(re.findall(r"^(\S+)==(\S+)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE))
    versions = {re.sub(r"[._]", "-", name).lower(): version for name, version in constraints.items()}
    for file in ("tools.txt", "packages.txt"):
        text = (ROOT / "dev" / "release" / file).read_text()
        pins = text.replace("\\\n", " ").splitlines()[1:]
        assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", pin) for pin in pins)
        assert "://" not in text
        assert {name: versions.get(name) for name in locked(file)} == locked(file)


def test_hashes_of_everything() -> None:
    """Every external requirement of a service or library is among the packages with hashes: `make lock` adds it."""
    needed = {name for service in engine.SERVICES for name in names(others(service))}
    assert needed - locked("packages.txt").keys() == set()
    assert {"hatchling", "setuptools"} <= locked("tools.txt").keys()


def others(service: str) -> list[str]:
    command = [sys.executable, "dev/closure.py", "others", service]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()


def names(requirements: list[str]) -> list[str]:
    """Return the names of requirements."""
    return [re.sub(r"[._]", "-", re.split(r"[^\w.-]", requirement)[0]).lower() for requirement in requirements]
