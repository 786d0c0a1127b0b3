"""Run the load generator (load.c) and read its line."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .build import BenchError


@dataclass(frozen=True)
class Shape:
    """The generator's mode, the number of connections or sockets, and the bytes per message."""

    mode: str
    concurrency: int = 1
    size: int = 1


@dataclass(frozen=True)
class Load:
    """The results of a run."""

    operations: int
    bytes: int
    seconds: float
    errors: int
    lost: int  #: datagrams not answered within 200 ms
    p50_us: float
    p99_us: float
    cpu_seconds: float  #: of the generator
    first_error: str

    @property
    def rate(self) -> float:
        """Return operations per second."""
        return self.operations / self.seconds


def command(program: Path, shape: Shape, port: int, seconds: float) -> list[str]:
    """Return the generator's command line."""
    numbers = (port, shape.concurrency, seconds, shape.size)
    return [str(program), shape.mode, "127.0.0.1", *(f"{number:g}" for number in numbers)]


def parse(line: str) -> Load:
    """Read the generator's line."""
    values: dict[str, Any] = json.loads(line)
    del values["mode"]
    return Load(**values)


def run(program: Path, shape: Shape, port: int, seconds: float) -> Load:
    """Run the generator once. Raises `BenchError` if an answer was wrong or missing."""
    line = command(program, shape, port, seconds)
    done = subprocess.run(line, capture_output=True, text=True, timeout=seconds + 90, check=False)
    if done.returncode:
        raise BenchError(f"The load generator failed: {done.stderr.strip() or f'code {done.returncode}'}")
    load = parse(done.stdout)
    if load.errors or not load.operations:
        raise BenchError(
            f"{load.errors} errors in {load.operations} operations, the first: {load.first_error or 'none'}."
        )
    return load
