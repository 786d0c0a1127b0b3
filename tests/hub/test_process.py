"""The hub as a process: killed at any instant, it starts again with its history."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DIRECT, Process, Start, eventually
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub.history_hand import RENEWED
from tests.hub.stand_ins import HOST, Prober, probers
from tests.hub.test_hub import become

#: Runs the command of the hub without its work, and makes so much garbage that younger objects are collected often.
COLLECTIONS = """
import gc
import smoker_hub.__main__ as hub

def work(*_):
    before, kept = [each["collections"] for each in gc.get_stats()], []
    while gc.get_stats()[1]["collections"] < before[1] + 100:
        kept.append([])
    print(gc.get_stats()[2]["collections"] - before[2])

hub.main = work
hub.command()
"""
DEAD, TOKEN = "node-2", "a-token-that-nobody-sees"


def mesh() -> Cluster:
    return Cluster(nodes(4), host=False, services=False)


def hub_over(start: Start, found: list[Prober], folder: Path) -> Process:
    """Start a hub that asks these probers, keeps a history and wants a token."""
    (folder / "auth").mkdir(exist_ok=True)
    (folder / "auth" / "token").write_text(TOKEN)
    peers = ",".join(f"{prober.state.node}={HOST}:{prober.address.port}" for prober in found)
    folders = {"HISTORY_FOLDER": folder, "AUTH_FOLDER": folder / "auth"}
    return start("smoker-hub", PEERS=peers, HTTP_PORT=0, INTERVAL=0.5, LOG_LEVEL="TRACE", **folders)


def ask(hub: Process, path: str, token: str = TOKEN) -> Any:
    """Return an answer of the API."""
    url = f"http://{HOST}:{hub.ports['HTTP_PORT']}/api/v1/{path}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with DIRECT.open(request, timeout=10) as answer:
        return json.load(answer)


def open_at(hub: Process, query: str = "") -> list[Any]:
    """Return the findings that are open, or that were at a moment."""
    found: list[Any] = ask(hub, f"findings{query}")["open"]
    return found


def seen_open(start: Start, found: list[Prober], folder: Path, times: int) -> tuple[float, float]:
    """Start a hub for the n-th time, and kill it once the fault is in its history.

    Return the opening and a moment of it.
    """
    hub = hub_over(start, found, folder)
    eventually("the fault is open", lambda: open_at(hub))
    (view,) = eventually("it is written", lambda: open_at(hub, f"?at={time.time()}"))
    moment = time.time()  # not later than the kill: the next hub may see the end of the fault at once
    events = [event["kind"] for event in ask(hub, "events")["events"]]
    assert events.count("hub_started") == times
    time.sleep(random.random() * 0.5)  # any instant between two looks
    hub.stop(signal.SIGKILL)
    assert RENEWED not in hub.stderr + hub.stdout
    return view["opened"], moment


def test_a_hub_that_is_killed_has_its_history(start: Start, tmp_path: Path) -> None:
    """After SIGKILL, three times, each start finds all that was written, and an open finding continues."""
    with probers(mesh().fail(lambda link: link.touches(DEAD)).states()) as found:
        seen = [seen_open(start, found, tmp_path, times) for times in (1, 2, 3)]
        assert len({opened for opened, _ in seen}) == 1
        become(found, mesh())
        hub = hub_over(start, found, tmp_path)
        eventually("it is over", lambda: ask(hub, "summary")["state"] == "healthy")
        assert ask(hub, f"matrix?at={seen[-1][1]}&to={DEAD}")["state"] == "fff"
        assert hub.stop() == 0
        assert RENEWED not in hub.stderr + hub.stdout


def test_every_line_has_the_name_of_the_cluster(start: Start) -> None:
    """It tells the lines from those of other clusters' hubs. The evidence goes on with the line of the fault."""
    with probers(mesh().fail(lambda link: link.touches(DEAD)).states()) as found:
        peers = ",".join(f"{prober.state.node}={HOST}:{prober.address.port}" for prober in found)
        hub = start("smoker-hub", PEERS=peers, HTTP_PORT=0, INTERVAL=0.5, CLUSTER_NAME="blue")
        eventually("the fault is logged", lambda: "  next: " in hub.stderr)
        assert hub.stop() == 0
    words = ("smoker-hub started", f"FAULT {DEAD}: ", "  evidence: ", "  next: ", "smoker-hub stopped")
    lines = hub.stderr.splitlines()
    assert [word for word in words if not any(word in line for line in lines)] == []
    assert [line for line in lines if (" cluster=blue" in line) == ("]   " in line)] == []


def test_the_token_is_never_logged(start: Start, tmp_path: Path) -> None:
    """The export, the log at its finest level and the metrics do not contain the token, whatever clients send."""
    with probers(mesh().states()) as found:
        hub = hub_over(start, found, tmp_path)
        exported = json.dumps(ask(hub, "export"))
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            ask(hub, "summary", token="wrong")
        with refused.value as error:
            exported += error.read().decode()
        exported += hub.get("/metrics")[1]
        assert hub.stop() == 0
        assert TOKEN not in exported + hub.stdout + hub.stderr


def test_a_secret_without_its_keys_ends_the_hub(start: Start, tmp_path: Path) -> None:
    """The hub names the missing keys and does not start."""
    hub = start("smoker-hub", PEERS=f"a={HOST}:1", HTTP_PORT=0, AUTH_FOLDER=tmp_path, ready=False)
    assert hub.popen.wait(20) == 2
    assert "has no file token, nor username and password" in hub.stderr


def test_garbage_of_all_objects_is_seldom_collected() -> None:
    """With thousands of nodes each such collection visits every path: the looks would wait for it again and again."""
    done = subprocess.run([sys.executable, "-c", COLLECTIONS], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "0"
