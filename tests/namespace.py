"""Run a shell script in a new network namespace, if kernel and user allow one."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Mapping

import pytest

from tests.conftest import BIN

PATIENCE = 50  # seconds
#: Loopback, and an interface `here` with the link-local address fe80::5eed.
NETWORK = """
trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT
ip link set lo up
ip link add here type veth peer name there
ip address add fe80::5eed/64 dev here nodad
ip link set here up
ip link set there up
"""


@functools.cache
def _impossible() -> str:
    try:
        tried = _bash(NETWORK, os.environ)
    except FileNotFoundError as missing:
        return str(missing)
    return tried.stderr if tried.returncode else ""


def in_namespace(script: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a bash script in its own network; its background processes are ended. Skip if that is not possible."""
    if why := _impossible():
        pytest.skip(f"no network namespace: {why}")
    environ = {"PATH": f"{BIN}:{os.environ['PATH']}", **variables}
    return _bash(NETWORK + script, environ)


def _bash(script: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = ["unshare", "--net", "bash", "-euc", script]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=PATIENCE, check=False)
