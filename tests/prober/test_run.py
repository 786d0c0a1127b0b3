"""`smoker-prober run` as a separate process: its lines, its endpoints, and what it survives."""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import Callable

import pytest
from gevent.event import Event

from tests.conftest import PATIENCE, Process, Start, eventually
from tests.prober.targets import ENOUGH, HOST, Serve, echo, variables_for
from tests.relay import CORRUPT, DROP, PASS, TcpRelay, UdpRelay, reset, truncate

RESULT = re.compile(
    r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] \[NODE:node-1\] \[(TCP|UDP|HTTP)\] "
    # A round that is quick enough has time for a train, also at a short interval.
    r"(SUCCESS latency=[\d.]+ms(?: loss=[\d.]+%(?: jitter=[\d.]+ms)?)?|FAILED error=[a-z_]+(?: status=\d+)?)"
)
OTHER = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] \[(INFO|WARNING)\] .*")
PROBES = ("TCP", "UDP", "HTTP")
OFTEN = {"TEST_INTERVAL": "0.1", "PYTHONWARNINGS": "error"}


def told(process: Process) -> list[tuple[str, str]]:
    """Return probe and end of each line on stdout, which must be a whole result."""
    lines = process.stdout.splitlines(keepends=True)
    found = [RESULT.fullmatch(line.removesuffix("\n")) for line in lines if line.endswith("\n")]
    assert all(found), process.stdout
    return [(match[1], match[2]) for match in found if match]


def wait_for(process: Process, begin: int, probe: str, end: str) -> None:
    """Wait until a line of `probe` after the first `begin` lines starts with `end`."""

    def is_there() -> bool:
        return any(name == probe and what.startswith(end) for name, what in told(process)[begin:])

    eventually(f"[{probe}] {end}", is_there)


def test_the_lines_of_a_healthy_network(start: Start, variables: dict[str, str]) -> None:
    """stdout has only result lines of TCP, UDP and HTTP in turn, stderr the rest. SIGTERM gives exit code 0."""
    seldom = OFTEN | {"TEST_INTERVAL": "1"}  # a round that takes longer than the interval has a line of its own
    process = start("smoker-prober", "run", **variables, **seldom)
    eventually("there were four rounds", lambda: len(told(process)) >= 12)
    assert process.stop() == 0
    lines = told(process)
    assert [probe for probe, _ in lines[:12]] == [*PROBES] * 4
    assert all(what.startswith("SUCCESS ") for _, what in lines)
    assert process.stdout.endswith("\n")
    said = process.stderr.splitlines()
    assert all(OTHER.fullmatch(line) for line in said)
    assert [line.split("] ")[-1].split(" address=")[0].split(" cut=")[0] for line in said] == [
        "smoker-prober started",
        "smoker-prober is stopping",
        "smoker-prober stopped",
    ]


def test_json_lines(start: Start, variables: dict[str, str]) -> None:
    """`LOG_FORMAT=json`: each line of either stream is a flat object; the results are on stdout.

    With a name of the cluster every line has it.
    """
    process = start("smoker-prober", "run", LOG_FORMAT="json", CLUSTER_NAME="blue", **variables, **OFTEN)
    eventually("there was a round", lambda: process.stdout.count("\n") >= 3)
    assert process.stop() == 0
    results = [json.loads(line) for line in process.stdout.splitlines()]
    others = [json.loads(line) for line in process.stderr.splitlines()]
    assert [result["probe"] for result in results[:3]] == ["tcp", "udp", "http"]
    assert {result["outcome"] for result in results} == {"success"}
    assert others[0]["message"] == "smoker-prober started"
    assert all(isinstance(value, str | int | float) for line in results + others for value in line.values())
    assert {line.get("cluster") for line in results + others} == {"blue"}


def test_liveness_and_readiness(start: Start, variables: dict[str, str], listen: Callable[[Serve], int]) -> None:
    """It is alive from the start and ready after the first round. While it stops it is alive and not ready."""
    go_on = Event()
    begun: list[bytes] = []

    def serve(sock: socket.socket) -> None:
        begun.append(sock.recv(64))
        go_on.wait()
        sock.sendall(begun[0])

    wanted = variables | {"TCP_PORT": str(listen(serve))}
    process = start("smoker-prober", "run", ready=False, **wanted, **OFTEN)
    eventually("it is alive", lambda: process.get("/livez")[0] == 200)
    assert process.get("/readyz") == (503, "the first round has not ended\n")
    go_on.set()
    eventually("it is ready", lambda: process.get("/readyz") == (200, "ok\n"))
    go_on.clear()
    before = len(begun)
    eventually("a probe is in flight", lambda: len(begun) > before)
    process.popen.terminate()
    eventually("it says that it stops", lambda: process.get("/readyz") == (503, "stopping\n"))
    assert process.get("/livez") == (200, "ok\n")
    go_on.set()
    assert process.popen.wait(PATIENCE) == 0


def test_the_prober_survives_any_behaviour_of_targets(
    start: Start, variables: dict[str, str], echoes: dict[str, int]
) -> None:
    """Silence, garbage, half an answer and a reset each have their word in a line, and good lines follow."""
    with (
        TcpRelay((HOST, echoes["tcp"])) as tcp,
        UdpRelay((HOST, echoes["udp"])) as udp,
        TcpRelay((HOST, echoes["http"])) as http,
    ):
        ports = {"tcp": tcp.port, "udp": udp.port, "http": http.port}
        process = start("smoker-prober", "run", **variables_for(ports, 0.05), **OFTEN)
        for faults, words in [
            ((DROP, DROP, DROP), ("timeout", "timeout", "timeout")),
            ((CORRUPT, CORRUPT, CORRUPT), ("bad_reply", "bad_reply", "bad_reply")),
            ((truncate(2), truncate(2), truncate(20)), ("bad_reply", "bad_reply", "bad_reply")),
            ((reset(0), DROP, reset(20)), ("reset", "timeout", "reset")),
        ]:
            begin = len(told(process))
            tcp.fault, udp.fault, http.fault = faults
            for probe, word in zip(PROBES, words, strict=True):
                wait_for(process, begin, probe, f"FAILED error={word}")
            begin = len(told(process))
            tcp.fault = udp.fault = http.fault = PASS
            for probe in PROBES:
                wait_for(process, begin, probe, "SUCCESS")
        assert process.stop() == 0
    assert "ERROR" not in process.stderr


def test_it_survives_targets_that_vanish_and_come_back(start: Start) -> None:
    """Servers that stop are `refused` from the next round on. On the same ports again, they succeed."""
    ports: dict[str, int] = {}
    with contextlib.ExitStack() as servers:
        for probe in PROBES:
            ports[probe.lower()] = servers.enter_context(echo(probe.lower()))
        process = start("smoker-prober", "run", **variables_for(ports, ENOUGH), **OFTEN)
    begin = len(told(process))
    for probe in PROBES:
        wait_for(process, begin, probe, "FAILED error=refused")
    with contextlib.ExitStack() as servers:
        for kind, port in ports.items():
            servers.enter_context(echo(kind, port=port))
        begin = len(told(process))
        for probe in PROBES:
            wait_for(process, begin, probe, "SUCCESS")
        assert process.stop() == 0


def test_all_mistakes_in_one_sentence(start: Start, variables: dict[str, str]) -> None:
    """Wrong settings and a port in use are reported together, before anything starts; exit code 2."""
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start("smoker-prober", "run", ready=False, **variables, ADMIN_PORT=port, TEST_INTERVAL="soon")
        assert process.popen.wait(PATIENCE) == 2
    assert process.stdout == ""
    assert process.stderr == (
        "smoker-prober: cannot start: TEST_INTERVAL='soon' is not a duration from 100ms to 1d, such as 500ms, "
        "30s or 5m (a bare number is seconds); "
        f"ADMIN_PORT={port} is taken by another process.\n"
    )


@pytest.mark.parametrize("good", [True, False])
def test_once_as_a_module(start: Start, variables: dict[str, str], *, good: bool) -> None:
    """`python -m smoker_prober once` is the same command with its exit code."""
    nowhere = "127.255.255.255"  # loopback's broadcast address: nothing goes there
    wanted = variables | ({} if good else {"SERVER_HOST": nowhere})
    process = start("python", "-m", "smoker_prober", "once", ready=False, **wanted, PYTHONWARNINGS="error")
    assert process.popen.wait(PATIENCE) == (0 if good else 1)
    end = "were answered" if good else "failed: tcp (unreachable), udp (unreachable), http (unreachable)"
    assert process.stdout.endswith(f"probes from node-1 {end}.\n")
    assert process.stderr == ""
