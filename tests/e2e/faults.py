"""Faults in a cluster's network, made on its nodes with common tools and removed again.

E2E_FAULTS is the command that makes them: `$E2E_FAULTS node NUMBER COMMAND…` runs a command in the network namespace of
the node whose name ends in that number, `$E2E_FAULTS heal` takes away every rule whose comment begins with `lab-fault`
and sets links up again.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.cluster import Namespace
from tests.images.command import run

SPINNING = 240  # seconds at most that a pod's CPU is eaten
FROZEN = 180  # seconds after which what is frozen thaws in any case
#: Sends a signal to a program's processes; where several nodes are one machine, to those in this node's network.
SIGNAL = """
for pid in $(pgrep -x "$1"); do
  [ "$(readlink /proc/$pid/ns/net)" = "$(readlink /proc/self/ns/net)" ] && own="$own $pid"
  all="$all $pid"
done
kill -"$2" ${own:-$all}
"""
COMMENT = ("-m", "comment", "--comment", "lab-fault")


def _command() -> list[str]:
    """Return the command. Without it skip the test; in CI fail."""
    command = os.environ.get("E2E_FAULTS", "")
    if not command:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say("E2E_FAULTS is not set: the command that makes faults on this cluster's nodes")
    return shlex.split(command)


def on(node: str, *command: str) -> str:
    """Run a command in the network namespace of a node. Return its output."""
    return run(*inside(node), *command, seconds=30)


def inside(node: str) -> list[str]:
    """Return what to put before a command that shall run in the network namespace of a node."""
    number = re.search(r"\d+$", node)
    assert number, f"{node} has no number"
    return [*_command(), "node", number[0]]


@contextmanager
def healed() -> Iterator[None]:
    """Remove all faults at the end of the block."""
    command = _command()
    try:
        yield
    finally:
        run(*command, "heal", seconds=60)


@contextmanager
def frozen(node: str, program: str) -> Iterator[None]:
    """Stop a program of a node for the duration of the block, as if it hung."""
    signal = ("sh", "-c", SIGNAL, "sh", program)
    on(node, "sh", "-c", f'(sleep {FROZEN}; exec "$@") >/dev/null 2>&1 &', "sh", *signal, "CONT")
    try:
        on(node, *signal, "STOP")
        yield
    finally:
        on(node, *signal, "CONT")


def drop(node: str, chain: str, *match: str) -> None:
    """Drop matching packets, of both families, or of the family of the address in the rule."""
    address = match[match.index("--destination") + 1] if "--destination" in match else ""
    for program in ("iptables", "ip6tables"):
        if address and (":" in address) != (program == "ip6tables"):
            continue
        on(node, program, "-I", chain, *match, *COMMENT, "-j", "DROP")


@contextmanager
def spinning(namespace: Namespace, pod: str) -> Iterator[None]:
    """Run a loop next to the prober in its container, which uses the container's CPU. The loop also ends by itself."""
    loop = f"import time; end = time.monotonic() + {SPINNING}\nwhile time.monotonic() < end: pass"
    command = ["kubectl", "--namespace", namespace.name, "exec", pod, "--", "python3", "-c", loop]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
