"""Build what the bench needs in addition to Python: the load generator, and the server to compare with."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"
OUTPUT = "OUTPUT"  # stands in a command for the file to make


class BenchError(Exception):
    """The bench, or a part of it, cannot run. Its text is a message for the user."""


@dataclass(frozen=True)
class Baseline:
    """The server in Go, or in C if Go is not installed."""

    language: str
    program: Path


def build_load() -> Path:
    """Build the load generator."""
    return _compile(BUILD / "load", sorted(HERE.glob("load*.[ch]")))


def build_baseline() -> Baseline:
    """Build the server to compare with."""
    if shutil.which("go"):
        source, program = HERE / "baseline" / "main.go", BUILD / "baseline-go"
        # Only the standard library and the toolchain that is there: nothing is fetched.
        environment = {"GOTOOLCHAIN": "local", "GOPROXY": "off", "GOFLAGS": "", "CGO_ENABLED": "0"}
        _make(program, [source], ["go", "build", "-o", OUTPUT, str(source)], environment)
        return Baseline("Go", program)
    return Baseline("C", _compile(BUILD / "baseline-c", [HERE / "baseline" / "baseline.c"]))


def _compile(program: Path, sources: list[Path]) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise BenchError("The bench needs a C compiler (cc) for its load generator.")
    files = [str(source) for source in sources if source.suffix == ".c"]
    return _make(program, sources, [compiler, "-O2", "-std=gnu11", "-Wall", "-Wextra", "-o", OUTPUT, *files], {})


def _make(program: Path, sources: list[Path], command: list[str], environment: dict[str, str]) -> Path:
    """Run `command` unless `program` is newer than its sources."""
    if program.exists() and program.stat().st_mtime > max(source.stat().st_mtime for source in sources):
        return program
    program.parent.mkdir(exist_ok=True)
    made = program.with_name(f"{program.name}.{os.getpid()}")  # another process may be running or making the same one
    command = [str(made) if word == OUTPUT else word for word in command]
    done = subprocess.run(
        command, env=os.environ | environment, cwd=HERE, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode:
        raise BenchError(f"{program.name} could not be built: {done.stderr.strip() or done.stdout.strip()}")
    made.replace(program)
    return program
