"""A prober within the chart's memory limit, flooded with connections: it stays alive, and others are served."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.images import engine
from tests.images.command import ROOT
from tests.images.conftest import Image
from tests.images.test_run import started, state

pytestmark = pytest.mark.engine

ATTEMPTS = 20_000
SCRIPT = (Path(__file__).parent / "flood.py").read_text()
PEAK = """
from pathlib import Path
files = map(Path, ("/sys/fs/cgroup/memory.peak", "/sys/fs/cgroup/memory/memory.max_usage_in_bytes"))  # version 2, 1
print(next(file for file in files if file.exists()).read_text())
"""
PORTS = {"tcp": 8080, "http": 8082, "admin": 9464}
LIMIT = yaml.safe_load((ROOT / "charts/smoker/values.yaml").read_text())["prober"]["resources"]["limits"]["memory"]


@pytest.fixture
def prober() -> Iterator[tuple[str, str]]:
    """A prober that answers peers, in a container with the chart's memory limit: its name and its image."""
    tag = engine.baked()["prober"]
    memory = LIMIT.removesuffix("i").lower()
    peers = [f"--env=PEER_{name.upper()}_PORT={port}" for name, port in PORTS.items() if name != "admin"]
    options = [
        "--memory",
        memory,
        "--memory-swap",
        memory,
        "--env=SERVER_HOST=127.0.0.1",
        "--env=TEST_INTERVAL=1",
        *peers,
    ]
    with started(Image("prober", tag), *options) as container:
        yield container, tag


def flood(container: str, tag: str, port: int, sources: int) -> dict[str, Any]:
    """Return the figures of a flood from the prober's host."""
    arguments = ("--rm", "--network", f"container:{container}", "--entrypoint", "python", tag, "-c", SCRIPT)
    printed = engine.docker("run", *arguments, str(port), str(ATTEMPTS), str(sources), seconds=180)
    figures: dict[str, Any] = json.loads(printed)
    figures["peak_mib"] = round(int(engine.docker("exec", container, "python", "-c", PEAK)) / 2**20, 1)
    print(f"\nport {port}, {sources} addresses, {LIMIT}: {json.dumps(figures)}")  # pytest -s shows it
    return figures


@pytest.mark.parametrize("port", PORTS.values(), ids=PORTS)
def test_one_client_does_not_starve_others(prober: tuple[str, str], port: int) -> None:
    """With 20,000 connections of one address, it keeps its share, and every peer and kubelet are answered."""
    figures = flood(*prober, port, 1)
    assert figures["attempts"] == ATTEMPTS
    assert figures["held"] <= 128
    for name in PORTS:
        assert figures[name]["answered"] == figures[name]["asked"] == ATTEMPTS // 200
    assert state(prober[0])["Running"]


@pytest.mark.parametrize("name", ["tcp", "http"])
def test_many_clients_do_not_kill_it(prober: tuple[str, str], name: str) -> None:
    """20,000 connections of 1,000 addresses use up one echo's connections.

    The memory suffices, and other requests are answered.
    """
    figures = flood(*prober, PORTS[name], 1000)
    assert figures["held"] <= 512
    for other in PORTS.keys() - {name}:
        assert figures[other]["answered"] == figures[other]["asked"]
    assert state(prober[0])["Running"]
    assert not state(prober[0])["OOMKilled"]
    again = flood(*prober, PORTS["admin"], 1)  # the flood has gone, its connections too
    assert again[name]["answered"] == again[name]["asked"]
