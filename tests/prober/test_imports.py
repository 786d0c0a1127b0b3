"""A prober imports only what its plan uses: the libraries of the other probes take memory in every pod."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions, requires

import pytest

#: By module of a library, the targets that need it.
NEEDED = {
    "dns": "a=dns://127.0.0.1:1/example.org",
    "asn1crypto": "a=tls://127.0.0.1:1",
    "h2": "a=grpc://127.0.0.1:1",
    "wsproto": "a=ws://127.0.0.1:1",
    "regex": "",  # an option that no URL has: expect.body
}
#: The dependencies of the prober that every prober needs.
ALWAYS = {"gevent", "loguru", "msgspec", "prometheus-client", "pyyaml", "urllib3"}
#: What finds flows that fail, and what only transfers between peers need.
FOR_FLOWS = {f"smoker_prober.probes.followups.{name}" for name in ("flows", "kept_flow")}
FOR_BANDWIDTH = {f"smoker_prober.{name}" for name in ("bandwidth.transfer", "bandwidth.responder", "peers.bandwidth")}
PEERS = {f"PEER_{kind}_PORT": str(number) for number, kind in enumerate(("TCP", "UDP", "HTTP", "STAMP"), 1)}
PROGRAM = """
import sys, json, os
from gevent import monkey
monkey.patch_all(subprocess=False)
import smoker_prober.cli
from prometheus_client import CollectorRegistry
from smoker_prober.assembly import Assembly
from smoker_prober.config.load import load
from smoker_prober.settings import read
environ = json.loads(sys.argv[1])
found, problems = read(environ)
assert not problems, problems
assembly = Assembly(found.process, load(environ), {}, CollectorRegistry())  # with the rounds of its plan, none begun
pages = int(open("/proc/self/statm").read().split()[1])
rss = pages * os.sysconf("SC_PAGE_SIZE")
print(json.dumps({"modules": sorted({*sys.modules, *(name.partition(".")[0] for name in sys.modules)}), "rss": rss}))
"""


def started(targets: str, **variables: str) -> tuple[set[str], int]:
    """Return the modules of a prober with a peer and these targets whose rounds are ready, and its resident bytes."""
    peer = {"PEERS": "node-2=127.0.0.1:9464", **PEERS}
    environ = {"TARGETS": targets, "SERVER_HOST": "127.0.0.1", **peer, **variables}
    command = [sys.executable, "-c", PROGRAM, json.dumps(environ)]
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


def test_disabled_features_are_not_imported(bare: tuple[set[str], int]) -> None:
    """The code of checks of flows is loaded only where they are on, that of transfers only where there is a Lease."""
    modules, _rss = started("", FLOWS="false", KEPT_FLOW="false")
    assert bare[0] >= FOR_FLOWS
    assert not modules & FOR_FLOWS
    assert not bare[0] & FOR_BANDWIDTH


def test_the_diagnosis_is_for_once_alone(bare: tuple[set[str], int]) -> None:
    """A prober that runs judges nothing: the hub does, and `once`."""
    assert "smoker_diagnosis.state" in bare[0]
    assert not bare[0] & {"smoker_diagnosis.diagnose", "smoker_diagnosis.text", "smoker_prober.gather"}


def test_every_dependency_is_in_one_of_the_lists() -> None:
    """A library that the prober depends on is needed by every prober, or a test above shows which target brings it."""
    of = {_plain(name): module for module, names in packages_distributions().items() for name in names}
    wanted = {_plain(re.split(r"[^-\w.]", each)[0]) for each in requires("smoker-prober") or ()}
    assert {of[name] for name in wanted - ALWAYS if not name.startswith("smoker-")} == NEEDED.keys()


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
