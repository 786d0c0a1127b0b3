"""The results of one path, as the hub reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from smoker_prober.result import Method, Outcome, Rtt
from smoker_prober.samples import application
from tests.prober.store.test_windows import TRAIN, kept, made
from tests.prober.targets import Stepped

QUERY = "probe=tcp&target={target}&plane={plane}&family="


def ask(query: str, method: str = "GET") -> tuple[int, Any, bytes]:
    """Return status, headers and body of a prober with three results."""
    clock = Stepped()
    store = kept(clock)
    store.keep(made(rtt=Rtt(0.001, Method.TCP_INFO)))
    clock.passes(2.0)
    store.keep(made(Outcome.TIMEOUT))
    store.keep(made(probe="udp", train=TRAIN))
    path = made().target.path
    got: list[Any] = []
    env = {"REQUEST_METHOD": method, "QUERY_STRING": query.format(target=path.target, plane=path.plane)}
    body = b"".join(application(store.samples)(env, lambda *call: got.extend(call)))  # type: ignore[arg-type]
    return int(got[0].split()[0]), dict(got[1]), body


def test_the_results_of_a_path_with_their_ages() -> None:
    """Each has age, outcome, round trip, and packets sent and lost, the oldest first."""
    status, headers, body = ask(QUERY)
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(body) == {"version": 1, "samples": [[2.0, "success", 0.001, 0, 0], [0.0, "timeout", None, 0, 0]]}
    assert json.loads(ask(QUERY.replace("tcp", "udp"))[2])["samples"] == [[0.0, "success", None, 10, 1]]
    assert ask(QUERY, "HEAD")[2] == b""


@pytest.mark.parametrize(
    ("query", "method", "status"),
    [
        (QUERY.replace("tcp", "http"), "GET", 404),
        ("", "GET", 400),
        (QUERY + "&more=1", "GET", 400),
        ("probe=tcp", "GET", 400),
        (QUERY + "x" * 3000, "GET", 400),
        (QUERY, "POST", 405),
    ],
)
def test_invalid_parameters_are_refused(query: str, method: str, status: int) -> None:
    """An unknown path, and other parameters than the four, are refused."""
    assert ask(query, method)[0] == status
