"""The health server of grpcio in the network namespace of a node: a program of others, as a target of the probers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from tests.e2e import faults
from tests.e2e.cluster import addresses
from tests.images.command import ROOT

SERVER = ROOT / "tests" / "prober" / "probes" / "health_server.py"
SERVICE = "shop"  # which the server knows, and serves


@dataclass(frozen=True)
class Health:
    """A server that runs, by its URL for the probers."""

    url: str
    _stdin: IO[str]

    def set(self, status: str) -> None:
        """Let it answer with this status from now on."""
        print(SERVICE, status, file=self._stdin, flush=True)


@contextmanager
def health_server(node: str) -> Iterator[Health]:
    """Run the server on a node for the duration of the block."""
    address = next(each for each in addresses(node) if ":" not in each)
    command = [*faults.inside(node), "env", f"HEALTH_ADDRESS={address}", sys.executable, str(SERVER)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            port = process.stdout.readline().split()[0]
            yield Health(f"grpc://{address}:{port}?service={SERVICE}", process.stdin)
        finally:
            process.terminate()
