"""A prober imports only what its plan uses: the libraries of the other probes take memory in every pod."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

#: By module of a library, the targets that need it.
NEEDED = {
    "dns": "a=dns://127.0.0.1:1/example.org",
    "asn1crypto": "a=tls://127.0.0.1:1",
    "h2": "a=grpc://127.0.0.1:1",
    "wsproto": "a=ws://127.0.0.1:1",
    "regex": "",  # an option that no URL has: expect.body
}
PROGRAM = """
import sys, json, os
from gevent import monkey
monkey.patch_all(subprocess=False)
import smoker_prober.cli
from smoker_prober import round, settings
from smoker_prober.config.service import hosts
found, problems = settings.read({"TARGETS": sys.argv[1], "SERVER_HOST": "127.0.0.1"})
assert not problems, problems
for targets in hosts(found).values():
    round.Round.of(found, targets)
pages = int(open("/proc/self/statm").read().split()[1])
rss = pages * os.sysconf("SC_PAGE_SIZE")
print(json.dumps({"modules": sorted({*sys.modules, *(name.partition(".")[0] for name in sys.modules)}), "rss": rss}))
"""


def started(targets: str) -> tuple[set[str], int]:
    """Return the modules of a prober with these targets whose rounds are ready, and its resident bytes."""
    command = [sys.executable, "-c", PROGRAM, targets]
    said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return set(said["modules"]), said["rss"]


@pytest.fixture(scope="module")
def bare() -> tuple[set[str], int]:
    return started("")


@pytest.mark.parametrize("library", NEEDED)
def test_a_prober_without_a_probe_does_not_load_its_library(bare: tuple[set[str], int], library: str) -> None:
    """The echo services alone need none of them."""
    assert library not in bare[0]


@pytest.mark.parametrize(("library", "targets"), [(name, targets) for name, targets in NEEDED.items() if targets])
def test_a_target_brings_its_own_library(bare: tuple[set[str], int], library: str, targets: str) -> None:
    """It is there before the first probe, and takes memory; those of the other probes are not."""
    modules, rss = started(targets)
    assert library in modules
    assert not modules & (NEEDED.keys() - {library})
    assert rss > bare[1]


def test_a_page_without_options_needs_none_of_them() -> None:
    """A page over HTTP/1.1 is the standard library's."""
    modules, _rss = started("a=https://127.0.0.1:1/x,b=tcp://127.0.0.1:1")
    assert not modules & NEEDED.keys()


def test_the_search_of_hops_comes_with_the_first_trace(bare: tuple[set[str], int]) -> None:
    """A prober whose paths all work does not load it."""
    assert "smoker_prober.probes.trace" in bare[0]
    assert "smoker_prober.probes.hops" not in bare[0]
