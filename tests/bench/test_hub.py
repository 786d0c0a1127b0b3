"""The measurement of the hub runs what the hub runs by default."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.bench.hub.__main__ import served


def test_the_hub_is_measured_with_its_history() -> None:
    """The worker writes a history, and reads its memory once more after the answers to the page."""
    with served(3) as ports:
        command = [sys.executable, "-m", "tests.bench.hub.worker", "3", "2", ",".join(map(str, ports)), "0.1"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=50)
    *looks, last = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    assert [each["heard"] for each in looks] == [3, 3]
    assert last["history"] > 0
    assert last["lost"] == 0
    assert last["rss"] > 0
    assert len(last["answers"]) == 3
