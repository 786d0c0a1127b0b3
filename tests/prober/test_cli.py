"""The command line: `once` for a report and an exit code, `probe` by hand."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import Event

from smoker_common.settings import declaration
from smoker_prober import once, own_round
from smoker_prober.cli import command
from smoker_prober.process import Process
from smoker_prober.settings import plan_variables
from tests.conftest import BIN, eventually
from tests.hosts import BAD, BAD_BY_IDNA, BAD_BY_NUMBER
from tests.prober.targets import HOST, SHORT, Serve, answering, echo
from tests.relay import CORRUPT, DROP, PASS, TcpRelay, refusing

DECLARED = [*map(declaration, dataclasses.fields(Process)), *(declared for declared, _default in plan_variables())]
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> pytest.MonkeyPatch:
    """An environment without other variables, in which the real echoes are probed."""
    for declared in DECLARED:
        monkeypatch.delenv(declared.variable, raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    return monkeypatch


def test_once_all_good(capsys: Captured, echoes: dict[str, int]) -> None:
    """It prints a table of the three probes on stdout, nothing on stderr, with exit code 0."""
    assert command(["once"]) == 0
    out, err = capsys.readouterr()
    head, *rows, empty, sentence = out.splitlines()
    assert head.split() == ["PROBE", "TARGET", "OUTCOME", "LATENCY", "DETAIL"]
    assert [row.split()[:3] for row in rows] == [[kind, f"{HOST}:{port}", "success"] for kind, port in echoes.items()]
    assert (empty, sentence, err) == ("", "All 3 probes from node-1 were answered.", "")


def test_once_with_a_failure(capsys: Captured, environment: pytest.MonkeyPatch) -> None:
    """One failed probe is exit code 1; the others are still done."""
    with refusing() as port:
        environment.setenv("TCP_PORT", str(port))
        assert command(["once"]) == 1
    out = capsys.readouterr().out
    assert re.search(r"^tcp +\S+ +refused +\S+ +connect: connection refused$", out, re.MULTILINE)
    assert out.endswith("1 of 3 probes from node-1 failed: tcp (refused).\n")


def test_once_settles_before_the_round_that_counts(
    capsys: Captured, environment: pytest.MonkeyPatch, echoes: dict[str, int]
) -> None:
    """A bad first round is shown on stderr and does not decide the exit code."""
    with TcpRelay((HOST, echoes["tcp"]), CORRUPT) as relay:
        environment.setenv("TCP_PORT", str(relay.port))
        asking = gevent.spawn(command, ["once", "--settle", "60"])
        eventually("a probe is over", lambda: relay.connections and not relay.open)
        relay.fault = PASS
        assert asking.get(timeout=60) == 0
    out, err = capsys.readouterr()
    assert "All 3 probes" in out
    assert err.startswith("settling: 1 of 3 probes from node-1 failed: tcp (bad_reply).")


def test_once_settled_fails_with_the_network(
    capsys: Captured, environment: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch, echoes: dict[str, int]
) -> None:
    """An intermittent fault is not waited for: after one answer of each probe, the next round decides."""
    with TcpRelay((HOST, echoes["tcp"]), PASS) as relay:
        environment.setenv("TCP_PORT", str(relay.port))
        settle = own_round.settle

        def settle_and_break(*arguments: Any) -> None:
            settle(*arguments)
            relay.fault = CORRUPT

        monkeypatch.setattr(once, "settle", settle_and_break)
        assert command(["once", "--settle", "60"]) == 1
    assert "1 of 3 probes" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "code"), [(["once"], 130), (["probe", "tcp", HOST, "{port}"], 1)])
def test_ctrl_c_ends_it_without_a_traceback(
    listen: Callable[[Serve], int], variables: dict[str, str], tmp_path: Path, arguments: list[str], code: int
) -> None:
    """After Ctrl-C in a probe without an answer `once` prints nothing more, `probe` its summary."""
    asked = Event()
    go = Event()

    def silent(sock: socket.socket) -> None:
        asked.set()
        go.wait()

    port = str(listen(silent))
    with (tmp_path / "err").open("wb") as err, (tmp_path / "out").open("wb") as out:
        command_line = [str(BIN / "smoker-prober"), *(argument.format(port=port) for argument in arguments)]
        environ = os.environ | variables | {"TCP_PORT": port}
        process = subprocess.Popen(command_line, env=environ, stdout=out, stderr=err)
    assert asked.wait(20)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == code
    go.set()
    assert (tmp_path / "err").read_text().strip() == ""
    assert (tmp_path / "out").read_text() == ("" if code == 130 else "0 probes, 0 answered\n")


def test_once_settles_for_a_bounded_time(capsys: Captured, environment: pytest.MonkeyPatch) -> None:
    """A network that stays bad fails when the time is over."""
    with refusing() as port:
        environment.setenv("TCP_PORT", str(port))
        assert command(["once", "--settle", "0.001"]) == 1
    assert "1 of 3 probes" in capsys.readouterr().out


@pytest.mark.parametrize("good", [True, False])
def test_once_as_json(capsys: Captured, environment: pytest.MonkeyPatch, echoes: dict[str, int], *, good: bool) -> None:
    """stdout is one JSON document, whatever was found; the exit code is the table's."""
    with TcpRelay((HOST, echoes["http"]), CORRUPT) as relay:
        environment.setenv("HTTP_PORT", str(echoes["http"] if good else relay.port))
        assert command(["once", "--json"]) == (0 if good else 1)
    found = json.loads(capsys.readouterr().out)
    assert (found["node"], found["ok"]) == ("node-1", good)
    assert [result["outcome"] for result in found["results"]] == [
        "success",
        "success",
        "success" if good else "bad_reply",
    ]


@pytest.mark.parametrize("arguments", [["once"], ["once", "--json"], ["probe", "tcp", HOST, "80"]])
def test_wrong_settings(capsys: Captured, environment: pytest.MonkeyPatch, arguments: list[str]) -> None:
    """It ends with exit code 2, nothing on stdout, and one sentence with all mistakes and what is allowed."""
    environment.setenv("TEST_TIMEOUT", "never")
    environment.setenv("TCP_PORT", "tcp://10.0.0.1:8080")
    assert command(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "smoker-prober: cannot start: TEST_TIMEOUT='never' is not a duration from 1ms to 1h, such as 500ms, 30s or 5m "
        "(a bare number is seconds); TCP_PORT='tcp://10.0.0.1:8080' is not a whole number from 1 to 65535 "
        "(a Service of that name sets it: use enableServiceLinks: false).\n"
    )


@pytest.mark.parametrize("kind", ["tcp", "udp", "http"])
def test_probe_by_hand(capsys: Captured, echoes: dict[str, int], kind: str) -> None:
    """It prints one line, as the prober writes it, and a sum, with exit code 0."""
    assert command(["probe", kind, HOST, str(echoes[kind])]) == 0
    line, total = capsys.readouterr().out.splitlines()
    assert f"[NODE:node-1] [{kind.upper()}] SUCCESS latency=" in line
    assert total.startswith("1 probe, 1 answered; latency min ")


def test_probe_counts(capsys: Captured, echoes: dict[str, int]) -> None:
    """`--count N` is N probes, each with a line and a connection of its own."""
    with TcpRelay((HOST, echoes["tcp"])) as relay:
        assert command(["probe", "tcp", HOST, str(relay.port), "--count", "4", "--interval", "0"]) == 0
        assert relay.connections == 4
    *lines, total = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert total.startswith("4 probes, 4 answered; latency min ")


def test_probe_that_fails(capsys: Captured) -> None:
    """The line and the sum are on stdout, the cause on stderr, with exit code 1."""
    with refusing() as port:
        assert command(["probe", "http", HOST, str(port)]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[0].endswith("[HTTP] FAILED error=refused")
    assert out.splitlines()[1:] == ["1 probe, 0 answered"]
    assert err == "connect: connection refused\n"


def test_probe_with_a_timeout_of_its_own(capsys: Captured, echoes: dict[str, int]) -> None:
    """`--timeout` overrides TEST_TIMEOUT."""
    with TcpRelay((HOST, echoes["tcp"]), DROP) as relay:
        assert command(["probe", "tcp", HOST, str(relay.port), "--timeout", str(SHORT)]) == 1
    assert capsys.readouterr().err == f"wait: no answer within {SHORT:g} s\n"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"\x1b[2J\r[2025-11-13 10:30:00] [NODE:x] [TCP] SUCCESS latency=1ms\n", r"'\x1b[2J\r[2025"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\x0b\r\n\r\nOK", r"(1, 2?)"),
    ],
)
def test_probe_prints_only_plain_text(
    capsys: Captured, listen: Callable[[Serve], int], answer: bytes, told: str
) -> None:
    """Bytes of a target cannot move the user's cursor nor forge a line."""
    assert command(["probe", "http", HOST, str(listen(answering(answer)))]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert told in err
    assert err.removesuffix("\n").isprintable()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["walk"], "'run', 'once', 'report', 'check', 'probe'"),
        (["probe"], "required: KIND"),
        (["probe", "icmp", HOST, "80"], "'tcp', 'udp', 'http'"),
        (["probe", "tcp", "", "80"], "argument HOST: '' is not a host, which is a name, an IPv4 or an IPv6 address"),
        (["probe", "tcp", HOST, "0"], "'0' is not a whole number from 1 to 65535"),
        (["probe", "tcp", HOST, "http"], "'http' is not a whole number from 1 to 65535"),
        (["probe", "tcp", HOST, ""], "'' is not a whole number from 1 to 65535"),
        (["probe", "tcp", HOST, "80", "--count", "0"], "'0' is not a whole number from 1 to 1000000"),
        (["probe", "tcp", HOST, "80", "--interval", "-1"], "'-1' is not a number of seconds from 0 to 3600"),
        (["probe", "tcp", HOST, "80", "--timeout", "0"], "'0' is not a number of seconds from 0.001 to 3600"),
        (["once", "--yaml"], "--yaml"),
        (["run", "faster"], "faster"),
        (["once", "--wait"], "--wait goes with --mesh HOST:PORT or --hub HOST:PORT"),
        (["once", "--wait=5"], "--wait goes with --mesh HOST:PORT or --hub HOST:PORT"),
        (["once", "--tolerate", "loss"], "--tolerate goes with --mesh HOST:PORT or --hub HOST:PORT"),
        (["once", "--hub", "a:1", "--mesh", "b:1"], "--mesh and --hub do not go together"),
        (["once", "--hub-auth", "/etc"], "--hub-auth goes with --hub HOST:PORT"),
    ],
)
def test_wrong_arguments(capsys: Captured, arguments: list[str], told: str) -> None:
    """It ends with exit code 2, nothing on stdout, and what is allowed."""
    with pytest.raises(SystemExit) as ended:
        command(arguments)
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err


@pytest.mark.parametrize("text", [*BAD, *BAD_BY_IDNA, *BAD_BY_NUMBER], ids=ascii)
def test_an_invalid_host_is_a_wrong_argument(capsys: Captured, text: str) -> None:
    """`probe` and `--mesh` name the argument, its value and what is allowed; nothing is probed."""
    wrong = {
        f"argument HOST: {text!r} is not a host, which is a name": ["probe", "tcp", "--", text, "80"],
        f"argument --mesh: {f'{text}:80'!r} is not HOST:PORT, where": ["once", f"--mesh={text}:80"],
    }
    for told, arguments in wrong.items():
        with pytest.raises(SystemExit) as ended:
            command(arguments)
        out, err = capsys.readouterr()
        assert (ended.value.code, out) == (2, "")
        assert told in err


def test_a_host_in_brackets_is_probed(capsys: Captured) -> None:
    """An IPv6 address in brackets, as in a URL, is an address and not looked up."""
    with echo("tcp", "::1") as port:
        assert command(["probe", "tcp", "[::1]", str(port)]) == 0
    assert "1 probe, 1 answered" in capsys.readouterr().out


def test_help_lists_every_variable(capsys: Captured) -> None:
    """Help lists each variable with what is allowed, and the exit codes."""
    with pytest.raises(SystemExit) as ended:
        command(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for declared in DECLARED:
        line = rf"^  {declared.variable} +{declared.help}\n +{re.escape(declared.kind.allowed)}; default: "
        assert re.search(line, text, re.MULTILINE)
    text = " ".join(text.split())
    assert "exit codes: 0 all good, 1 a probe failed or something is at fault" in text
    assert "2 settings or arguments wrong, no prober or hub answers" in text


def test_version(capsys: Captured) -> None:
    """`--version` prints the package's version."""
    with pytest.raises(SystemExit) as ended:
        command(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"smoker-prober {version('smoker-prober')}\n")
