"""What a prober remembers: the snapshot, and the report made from it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping

import pytest

from smoker_common.clock import Clock
from smoker_diagnosis.train import Train
from smoker_prober.report import windows
from smoker_prober.result import Method, Outcome, Result, Rtt
from smoker_prober.store import Store
from smoker_prober.store.identity import Identity
from tests.conftest import BIN, Start, eventually
from tests.prober.targets import Stepped, target

TRAIN = Train(
    sent=10, lost=1, delayed=0, duplicates=0, reordered=0, requests_lost=1, replies_lost=0, rtts=(), jitter=None
)


def made(outcome: Outcome = Outcome.SUCCESS, probe: str = "tcp", **rest: object) -> Result:
    """Return a result of some path."""
    facts: dict[str, object] = {
        "start": 0.0,
        "duration": 0.002,
        "error": "" if outcome.ok else "wait: why",
        "target": target(probe),
        "source": "node-1",
    }
    return Result(outcome=outcome, **(facts | rest))  # type: ignore[arg-type]


def kept(clock: Clock | None = None) -> Store:
    """Return the store of a prober on node-1."""
    return Store(Identity("node-1"), clock=clock)


def test_a_snapshot_has_a_path_for_each_probe_and_target() -> None:
    """It has percentiles in milliseconds, loss of trains, failures with their cause, and null for unknown data."""
    store = kept()
    for milliseconds in (1, 2, 3):
        store.keep(made(rtt=Rtt(milliseconds / 1000, Method.TCP_INFO)))
    store.keep(made(Outcome.TIMEOUT))
    store.keep(made(probe="udp", train=TRAIN))
    snapshot = json.loads(json.dumps(store.snapshot().as_object))
    assert (snapshot["version"], snapshot["node"]) == (1, "node-1")
    tcp, udp = snapshot["paths"]
    assert (tcp["probe"], tcp["target"], tcp["last"]) == ("tcp", "smoker-server:8080", "timeout")
    assert (tcp["results"], tcp["failed"], tcp["loss_ratio"]) == (4, 1, 0.25)
    assert tcp["rtt_ms"] == {"p50": 2.0, "p95": 3.0, "p99": 3.0, "max": 3.0}
    assert [(failure["outcome"], failure["error"]) for failure in tcp["failures"]] == [("timeout", "wait: why")]
    assert (udp["loss_ratio"], udp["rtt_ms"], udp["jitter_ms"], udp["failures"]) == (0.1, None, None, [])


@pytest.mark.parametrize("step", [1000.0, -1000.0, 1e9])
def test_a_wall_clock_that_steps(step: float) -> None:
    """An outage keeps its length, open or over, and dates are by the present clock."""
    clock = Stepped()
    store = kept(clock)
    store.keep(made())
    clock.passes(1.0)
    store.keep(made(Outcome.TIMEOUT))
    clock.passes(2.5, step=step)
    snapshot = store.snapshot()
    (path,) = snapshot.paths
    assert path.longest_outage_seconds == 2.5
    assert snapshot.time == clock.wall_time()
    assert (snapshot.time - (path.last_success or 0), snapshot.time - path.failures[0].time) == (3.5, 2.5)
    store.keep(made())
    clock.passes(10.0, step=-2 * step)
    snapshot = store.snapshot()
    (path,) = snapshot.paths
    assert (path.results, path.longest_outage_seconds) == (3, 2.5)
    assert (snapshot.time, snapshot.time - (path.last_success or 0)) == (clock.wall_time(), 10.0)


def test_a_round_a_day() -> None:
    """The report shows the last result, however old it is."""
    clock = Stepped()
    store = kept(clock)
    store.keep(made(rtt=Rtt(0.0005, Method.KERNEL)))
    clock.passes(86_399.0)
    row = windows(store.snapshot()).splitlines()[1]
    assert row.split() == ["tcp", "smoker-server:8080", "-", "success", "1", "0", "0.0%", *["0.5"] * 4, "-", "0s"]


def test_a_local_error_is_not_loss() -> None:
    """A prober without descriptors says nothing about the network."""
    store = kept()
    store.keep(made())
    store.keep(made(Outcome.LOCAL_ERROR))
    (path,) = store.snapshot().paths
    assert (path.results, path.failed, path.loss_ratio) == (2, 0, 0.0)


def test_the_snapshot_has_what_findings_need() -> None:
    """The snapshot has the failures in a row and the loss of the last packets."""
    store = kept()
    store.keep(made(probe="udp", train=TRAIN))
    store.keep(made(Outcome.TIMEOUT, probe="udp"))
    (path,) = store.snapshot().paths
    assert (path.failed_in_a_row, path.recent_loss_ratio) == (1, 0.1)


def test_lost_large_packets_do_not_count_as_loss() -> None:
    """The small packet was answered, so there is no loss."""
    store = kept()
    store.keep(made(Outcome.MTU, probe="udp"))
    (path,) = store.snapshot().paths
    assert (path.failed, path.loss_ratio) == (1, 0.0)


def test_the_report_is_a_table() -> None:
    """It has a row per path, a dash for unknown data, and a sentence."""
    store = kept()
    assert windows(store.snapshot()).endswith("No round has ended yet.")
    store.keep(made(probe="udp", train=TRAIN, rtt=Rtt(0.0005, Method.KERNEL)))
    head, row, empty, sentence = windows(store.snapshot()).splitlines()
    assert head.split()[:4] == ["PROBE", "TARGET", "PLANE", "LAST"]
    assert row.split() == ["udp", "smoker-server:8080", "-", "success", "1", "0", "10.0%", *["0.5"] * 4, "-", "0s"]
    assert empty == ""
    assert sentence == ("From node-1: the last hour, or the last result where that is older; times in milliseconds.")


def report(variables: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `smoker-prober report` next to a prober with these variables."""
    command = [str(BIN / "smoker-prober"), "report", *arguments]
    return subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, timeout=30, check=False)


def test_report_asks_the_prober_that_runs(start: Start, variables: dict[str, str]) -> None:
    """It prints table and JSON of a real prober; the exit code is 0 while all last probes were answered."""
    prober = start("smoker-prober", "run", TEST_INTERVAL=0.2, **variables)
    beside = {"ADMIN_PORT": str(prober.ports["ADMIN_PORT"]), "LISTEN_ADDRESS": "127.0.0.1"}
    eventually("three paths", lambda: len(json.loads(prober.get("/api/v1/snapshot")[1])["paths"]) == 3)
    told = report(beside)
    assert (told.returncode, told.stderr) == (0, "")
    assert [line.split()[0] for line in told.stdout.splitlines()[:4]] == ["PROBE", "tcp", "udp", "http"]
    assert json.loads(report(beside, "--json").stdout)["node"] == "node-1"
    prober.stop()
    silent = report(beside)
    assert silent.returncode == 2
    assert silent.stderr == (
        f"smoker-prober: cannot report: http://127.0.0.1:{beside['ADMIN_PORT']}/api/v1/snapshot does not answer: "
        "connection refused; ADMIN_PORT is the admin port of the prober that is asked.\n"
    )
