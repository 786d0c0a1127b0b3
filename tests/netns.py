"""A chain of network namespaces with routers between two ends, for tests that need real hops. It needs root."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

TIME_LIMIT = 60.0  # seconds for a command
CHAINED = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None, reason="needs root and ip: it makes network namespaces"
)
_numbers = itertools.count()


@dataclass(frozen=True)
class Chain:
    """Namespaces in a row, each with a link to the next one. All but the first and the last are routers."""

    names: tuple[str, ...]

    def address(self, number: int, six: bool = False) -> str:
        """Return the address of namespace `number`, from 1, on its link towards the first one."""
        return f"fd00:213:{number}::2" if six else f"10.213.{number}.2"

    def run(self, number: int, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in namespace `number`, from 0."""
        inside = ["ip", "netns", "exec", self.names[number], *command]
        return subprocess.run(inside, capture_output=True, text=True, timeout=TIME_LIMIT, check=False)

    def must(self, number: int, *command: str) -> None:
        """Run a command that must succeed."""
        done = self.run(number, *command)
        assert done.returncode == 0, f"{command}: {done.stderr}"


@contextlib.contextmanager
def chain(length: int) -> Iterator[Chain]:
    """Make a chain of `length` namespaces, whose ends reach each other over IPv4 and IPv6. It is removed at the end."""
    unique = f"smoker-test-{os.getpid()}-{next(_numbers)}"
    made = Chain(tuple(f"{unique}-{number}" for number in range(length)))
    try:
        for number, name in enumerate(made.names):
            subprocess.run(["ip", "netns", "add", name], check=True, timeout=TIME_LIMIT)
            for key in (
                "net.ipv4.ip_forward=1",
                "net.ipv6.conf.all.forwarding=1",
                "net.ipv6.conf.default.accept_dad=0",
            ):
                made.must(number, "sysctl", "-qw", key)
            made.must(number, "sysctl", "-qw", "net.ipv4.icmp_ratelimit=0")
            made.must(number, "sysctl", "-qw", "net.ipv6.icmp.ratelimit=0")
            made.must(number, "ip", "link", "set", "lo", "up")
        for number in range(1, length):
            _link(made, number)
        for number in range(length):
            _route(made, number)
        yield made
    finally:
        for name in made.names:
            if (Path("/run/netns") / name).exists():
                subprocess.run(["ip", "netns", "delete", name], check=False, timeout=TIME_LIMIT)


def _link(made: Chain, number: int) -> None:
    """Link namespace `number` with the one before it."""
    near, far = f"to{number}", f"to{number - 1}"
    peer = ("type", "veth", "peer", "name", far, "netns", made.names[number])
    made.must(number - 1, "ip", "link", "add", near, *peer)
    for place, device, last in ((number - 1, near, 1), (number, far, 2)):
        made.must(place, "ip", "address", "add", f"10.213.{number}.{last}/24", "dev", device)
        made.must(place, "ip", "address", "add", f"fd00:213:{number}::{last}/64", "dev", device, "nodad")
        made.must(place, "ip", "link", "set", device, "up")


def _route(made: Chain, number: int) -> None:
    """Add the routes of namespace `number` to the links that it is not on."""
    for link in range(1, len(made.names)):
        if link < number:
            via = (f"10.213.{number}.1", f"fd00:213:{number}::1")
        elif link > number + 1:
            via = (f"10.213.{number + 1}.2", f"fd00:213:{number + 1}::2")
        else:
            continue
        made.must(number, "ip", "route", "add", f"10.213.{link}.0/24", "via", via[0])
        made.must(number, "ip", "-6", "route", "add", f"fd00:213:{link}::/64", "via", via[1])
