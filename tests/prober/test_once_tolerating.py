"""`once --tolerate loss`: its own round meets the loss, too."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from smoker_prober import own_round
from smoker_prober.cli import command
from smoker_prober.once import NAMES
from smoker_prober.own_round import AGAIN, one_round
from smoker_prober.result import Result
from smoker_prober.settings import Settings
from tests.prober.targets import ENOUGH, HOST, PLENTY
from tests.prober.test_once_hub import GOOD, LOSSY, a_hub, serving
from tests.relay import CORRUPT, DROP, PASS, Fault, TcpRelay

REPEATED = "1 of 1 probes got no answer; packet loss is tolerated, so the round is repeated\n"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """Probe the real TCP echo alone: no other probe is late on a slow machine. Rounds end by their number."""
    for variable, value in (variables | {"PROBES": "tcp", "TEST_TIMEOUT": str(ENOUGH)}).items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(own_round, "REPEATS", math.inf)


@contextmanager
def asking_of(
    states: list[Any], fault: Fault, monkeypatch: pytest.MonkeyPatch, echoes: dict[str, int]
) -> Iterator[str]:
    """Yield the address of a hub with these states, while the TCP echo has this fault."""
    with TcpRelay((HOST, echoes["tcp"]), fault) as relay, a_hub(states) as (hub, _, _), serving(hub) as port:
        monkeypatch.setenv("TCP_PORT", str(relay.port))
        monkeypatch.setenv("TEST_TIMEOUT", str(ENOUGH if fault == DROP else PLENTY))
        yield f"{HOST}:{port}"


def test_a_probe_without_an_answer_is_asked_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, echoes: dict[str, int]
) -> None:
    """Where the hub sees loss that is tolerated, the round is repeated for it, and the last result counts."""
    with TcpRelay((HOST, echoes["tcp"]), DROP) as relay, a_hub(LOSSY) as (hub, _, _), serving(hub) as port:
        monkeypatch.setenv("TCP_PORT", str(relay.port))

        def answered(settings: Settings) -> Iterator[Result]:
            relay.fault = PASS
            return one_round(settings._replace(plan=replace(settings.plan, timeout=PLENTY)))

        monkeypatch.setattr(own_round, "one_round", answered)  # the rounds that are repeated
        assert command(["once", "--hub", f"{HOST}:{port}", "--tolerate", "loss"]) == 0
    out, err = capsys.readouterr()
    assert out.rstrip().endswith("The only probe from node-1 was answered.")
    assert err == REPEATED


@pytest.mark.parametrize(
    ("states", "fault", "rounds", "word"),
    [(LOSSY, DROP, AGAIN, "timeout"), (LOSSY, CORRUPT, 0, "bad_reply"), (GOOD, DROP, 0, "timeout")],
    ids=["it stays silent", "it answers wrongly", "nothing is lost"],
)
def test_what_loss_does_not_explain_fails(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    echoes: dict[str, int],
    states: list[Any],
    fault: Fault,
    rounds: int,
    word: str,
) -> None:
    """A probe that is never answered or answered wrongly fails the command, and so does one where nothing is lost."""
    with asking_of(states, fault, monkeypatch, echoes) as address:
        assert command(["once", "--hub", address, "--tolerate", "loss"]) == 1
    out, err = capsys.readouterr()
    assert out.rstrip().endswith(f"1 of 1 probes from node-1 failed: tcp ({word}).")
    assert err == REPEATED * rounds


@pytest.mark.parametrize(
    ("tolerated", "fault", "patient"),
    [(["--tolerate", "loss"], DROP, True), ([], DROP, False), (["--tolerate", "loss"], CORRUPT, False)],
    ids=["silence that may be tolerated", "silence", "a wrong answer"],
)
def test_the_hub_gets_its_time_where_the_round_may_still_be_good(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    echoes: dict[str, int],
    tolerated: list[str],
    fault: Fault,
    *,
    patient: bool,
) -> None:
    """A round that has failed for good leaves the hub a few seconds. One that tolerated loss may have hit does not."""
    with asking_of(GOOD, fault, monkeypatch, echoes) as address:
        assert command(["once", "--hub", address, "--wait", *tolerated]) == 1
    asking = re.match(r"asking the hub, for (\d+) s at most", capsys.readouterr().err)
    assert asking is not None
    assert (float(asking[1]) > NAMES) == patient
