"""Build what a bench needs beside Python."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"
OUTPUT = "OUTPUT"  # stands in a command for the file to make


class BenchError(Exception):
    """The bench, or a part of it, cannot be run. Its text is a sentence for the reader of the bench."""


def make(program: Path, sources: list[Path], command: list[str], environment: dict[str, str]) -> Path:
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
