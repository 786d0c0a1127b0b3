"""A plan that changes while the prober runs: as a whole or not at all.

Unchanged paths keep their windows and counters.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from loguru import logger
from prometheus_client import CollectorRegistry, generate_latest

from smoker_common.log import RESULT
from smoker_common.settings import parse
from smoker_prober.assembly import Assembly
from smoker_prober.config.load import load_file
from smoker_prober.config.reload import Reload
from smoker_prober.process import Process
from smoker_prober.snapshot import PathWindow
from tests.conftest import Start, eventually
from tests.prober.targets import HOST, NODE, echo
from tests.relay import refusing

RELOADED = "smoker_config_last_reload_successful"


def plan_text(ports: Mapping[str, int], *more: str, interval: str = "100ms") -> str:
    """Return a plan that probes `ports` on loopback, with further lines."""
    numbers = ", ".join(f"{kind}: {port}" for kind, port in ports.items())
    service = f"service: {{host: {HOST}, ports: {{{numbers}}}, probes: [{', '.join(ports)}]}}"
    return "\n".join([f"interval: {interval}", "timeout: 10s", service, *more]) + "\n"


class Running:
    """A prober on a file, within this process."""

    def __init__(self, file: Path, **environ: str) -> None:
        self.file, self.registry = file, CollectorRegistry()
        self.environ = {"CONFIG_FILE": str(file), "NODE_NAME": NODE, "LOG_LEVEL": "CRITICAL", **environ}
        process, problems = parse(Process, self.environ)
        loaded = load_file(self.environ, str(file))
        assert not [*problems, *loaded.problems]
        self.assembly = Assembly(process, loaded, {}, self.registry)
        self.assembly.start()

    @property
    def paths(self) -> dict[tuple[str, str], PathWindow]:
        """Return the windows by probe and target."""
        return {(path.probe, path.target): path for path in self.assembly.store.snapshot().paths}

    def results(self, probe: str, target: str) -> int:
        """Return how many results a path has, or 0."""
        return self.paths[probe, target].results if (probe, target) in self.paths else 0

    def counted(self, probe: str, target: str) -> float:
        """Return how many successes of a path are counted."""
        labels = {"probe": probe, "target": target, "outcome": "success"}
        return self.registry.get_sample_value("smoker_probe_total", labels) or 0.0

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def failed(self) -> list[tuple[str, str]]:
        return [key for key, path in self.paths.items() if path.failed]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """`run(text)` runs a prober on a file with this content."""
    running: list[Running] = []

    def start(text: str, **environ: str) -> Running:
        file = tmp_path / "plan.yaml"
        file.write_text(text)
        running.append(Running(file, **environ))
        return running[-1]

    yield start
    for each in running:
        each.assembly.close()
        each.assembly.drain(0)


def _is_log(record: Any) -> bool:
    return RESULT not in record["extra"]


def service(echoes: Mapping[str, int], probe: str) -> tuple[str, str]:
    return probe, f"{HOST}:{echoes[probe]}"


def test_unchanged_paths_keep_their_windows_and_counters(run: Callable[..., Running], echoes: dict[str, int]) -> None:
    """When interval, probes and targets change, paths of both plans keep counting. Removed ones leave no series."""
    gone = f"targets: [{{name: old, probe: tcp, host: {HOST}, port: {echoes['tcp']}}}]"
    running = run(plan_text(echoes, gone))
    tcp, udp, old, new = service(echoes, "tcp"), service(echoes, "udp"), ("tcp", "old"), ("tcp", "new")
    eventually("each was probed twice", lambda: all(running.results(*path) > 1 for path in (tcp, udp, old)))
    results, counted = running.results(*tcp), running.counted(*tcp)
    fewer = {kind: port for kind, port in echoes.items() if kind != "udp"}
    more = f"targets: [{{name: new, probe: tcp, host: {HOST}, port: {echoes['tcp']}}}]"
    running.file.write_text(plan_text(fewer, more, interval="200ms"))
    eventually("the new target is probed", lambda: running.results(*new) > 0)
    assert (running.results(*tcp) >= results, running.counted(*tcp) >= counted) == (True, True)
    assert running.paths.keys() == {tcp, service(echoes, "http"), new}
    page = generate_latest(running.registry).decode()
    assert 'target="old"' not in page
    assert f'target="{udp[1]}"' not in page
    assert running.value("smoker_prober_interval_seconds") == 0.2
    state = json.loads(running.assembly.store.document()[1])
    assert (state["interval"], state["timeout"]) == (0.2, 10.0)
    assert running.failed() == []
    assert (running.value(RELOADED), running.value("smoker_config_reloads_total", result="success")) == (1, 1)


def test_a_plan_with_a_mistake_changes_nothing(
    run: Callable[..., Running], echoes: dict[str, int], tmp_path: Path
) -> None:
    """The old plan stays in use.

    One line has all mistakes, once, and the metric shows it until the file is right again.
    """
    running = run(plan_text(echoes), LOG_LEVEL="INFO")
    lines: list[str] = []
    logger.add(lambda told: lines.append(told.record["message"]), level="ERROR", filter=_is_log)
    tcp = service(echoes, "tcp")
    before = running.value("smoker_config_last_reload_success_timestamp_seconds")
    running.file.write_text(plan_text(echoes, "intervall: 5", "mesh: {peers: -1}", interval="200ms"))
    eventually("it is refused", lambda: running.value(RELOADED) == 0)
    results = running.results(*tcp)
    eventually("it goes on", lambda: running.results(*tcp) > results + 15)  # beyond another look
    (line,) = lines
    assert f"{running.file}:4: 'intervall' is not a key here" in line
    assert "; " + f"{running.file}:5: mesh.peers: '-1' is not a whole number" in line
    assert running.value("smoker_prober_interval_seconds") == 0.1
    assert running.value("smoker_config_last_reload_success_timestamp_seconds") == before
    running.file.unlink()
    eventually("a missing file is a mistake", lambda: len(lines) == 2)
    assert "no such file" in lines[1]
    running.file.write_text(plan_text(echoes, interval="200ms"))
    eventually("it is right again", lambda: running.value(RELOADED) == 1)
    assert running.value("smoker_prober_interval_seconds") == 0.2
    assert running.value("smoker_config_reloads_total", result="failure") == 2


def test_peers_that_stay_are_not_new_again(run: Callable[..., Running]) -> None:
    """A peer that already fails keeps failing in the round after a change of the plan: it is not new."""
    with contextlib.ExitStack() as stack:
        tcp, silent = stack.enter_context(echo("tcp")), stack.enter_context(refusing())
        ports = {f"PEER_{kind}_PORT": str(tcp if kind == "TCP" else silent) for kind in ("TCP", "UDP", "HTTP", "STAMP")}
        text = plan_text({"tcp": tcp}, "mesh: {probes: [http]}")
        running = run(text, PEERS=f"node-2={HOST}:9464", **ports)
        eventually("its failures count", lambda: running.paths[("http", "node-2")].failed > 2)
        failed = running.paths[("http", "node-2")].failed
        running.file.write_text(plan_text({"tcp": tcp}, "mesh: {probes: [http, tcp]}", interval="1h"))
        eventually("the one round of the new plan", lambda: running.paths[("http", "node-2")].failed > failed)
        assert running.results("tcp", "node-2") <= 1


def test_a_target_with_an_interval_of_its_own(run: Callable[..., Running], echoes: dict[str, int]) -> None:
    """It is probed once at the start, then by its own interval, and its own timeout ends a probe."""
    target = f"{{name: slow, probe: tcp, host: {HOST}, port: {echoes['tcp']}, interval: 1h}}"
    running = run(plan_text({"tcp": echoes["tcp"]}, f"targets: [{target}]"))
    eventually("others have many rounds", lambda: running.results(*service(echoes, "tcp")) > 5)
    assert running.results("tcp", "slow") == 1


def test_the_log_level_changes(
    run: Callable[..., Running], echoes: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """At ERROR there are no lines of successes, at INFO there are, without a restart."""
    running = run(plan_text(echoes, "logLevel: ERROR"), LOG_LEVEL="")
    eventually("it was probed", lambda: running.results(*service(echoes, "tcp")) > 0)
    assert "SUCCESS" not in capsys.readouterr().out
    running.file.write_text(plan_text(echoes, "logLevel: INFO"))
    eventually("lines are written", lambda: "SUCCESS" in capsys.readouterr().out)


def test_a_plan_that_cannot_be_applied(tmp_path: Path, records: list[str]) -> None:
    """An error of ours during a change is logged and counted.

    The next content is applied, even if it is the old one.
    """
    file = tmp_path / "plan.yaml"
    applied: list[object] = []
    file.write_text("interval: 1s")
    registry = CollectorRegistry()

    def apply(plan: object) -> None:
        if not applied:
            applied.append(plan)
            raise RuntimeError("broken")
        applied.append(plan)

    reload = Reload(str(file), load_file({}, str(file)), apply, registry, environ={}, every=0.01)
    reload.start()
    try:
        file.write_text("interval: 2s")
        eventually("it failed", lambda: registry.get_sample_value(RELOADED) == 0)
        assert any("cannot be applied" in record for record in records)
        file.write_text("interval: 1s")
        eventually("the next one is taken", lambda: len(applied) == 2)
        eventually("and counted", lambda: registry.get_sample_value(RELOADED) == 1)
    finally:
        reload.close()


def test_the_kubelet_and_sighup(start: Start, echoes: dict[str, int], tmp_path: Path) -> None:
    """A process follows the kubelet's change of the link `..data`. SIGHUP reads the file at once and ends nothing."""
    volume = tmp_path / "volume"
    volume.mkdir()

    def publish(name: str, text: str) -> None:
        """Do what the kubelet does: a new folder, a new link, and a rename over the old one."""
        (volume / name).mkdir()
        (volume / name / "plan.yaml").write_text(text)
        (volume / "..tmp").symlink_to(name)
        os.rename(volume / "..tmp", volume / "..data")

    publish("..1", plan_text(echoes))
    (volume / "plan.yaml").symlink_to("..data/plan.yaml")
    process = start("smoker-prober", "run", CONFIG_FILE=volume / "plan.yaml", NODE_NAME=NODE, TEST_TIMEOUT="20")
    assert "environment variables override the file" in process.stderr
    more = f"targets: [{{name: more, url: 'tcp://{HOST}:{echoes['tcp']}'}}]"
    publish("..2", plan_text(echoes, more, interval="300ms"))
    eventually("the new target has lines", lambda: "target=more" in process.stdout)
    assert "smoker_prober_interval_seconds 0.3" in process.get("/metrics")[1]
    assert "changed=interval,targets" in process.stderr
    process.popen.send_signal(signal.SIGHUP)
    eventually("it was read again", lambda: "changed=nothing" in process.stderr)
    assert process.popen.poll() is None
    assert "FAILED" not in process.stdout
    assert process.stop() == 0


def test_mistakes_of_both_at_the_start(start: Start, tmp_path: Path) -> None:
    """A prober does not start with a wrong plan: one sentence has the mistakes of the file and of the variables."""
    file = tmp_path / "plan.yaml"
    file.write_text("intervall: 5\ntimeout: never\n")
    process = start("smoker-prober", "run", ready=False, CONFIG_FILE=file, NETWORK="both", TEST_INTERVAL="soon")
    assert process.popen.wait(20) == 2
    for words in ("NETWORK='both'", f"{file}:1: 'intervall'", f"{file}:2: timeout: 'never'", "TEST_INTERVAL='soon'"):
        assert words in process.stderr
    assert len(process.stderr.splitlines()) == 1


def test_sighup_without_a_file(start: Start, echoes: dict[str, int]) -> None:
    """SIGHUP does not end a prober without a file; a line names the variable for one."""
    variables = {f"{kind.upper()}_PORT": port for kind, port in echoes.items()}
    process = start("smoker-prober", "run", SERVER_HOST=HOST, **variables)
    process.popen.send_signal(signal.SIGHUP)
    eventually("it says so", lambda: "CONFIG_FILE names one" in process.stderr)
    assert process.stop() == 0
