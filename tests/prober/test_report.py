"""One round for a person or a program."""

from __future__ import annotations

from typing import Any

import pytest

from smoker_prober.probes.http import Details
from smoker_prober.report import as_object, summary, table, windows
from smoker_prober.result import Outcome, Result
from smoker_prober.snapshot import MeshView, Snapshot
from tests.prober.targets import target


def made(probe: str, port: int, outcome: Outcome = Outcome.SUCCESS, *, host: str = "echo", **more: Any) -> Result:
    facts: dict[str, Any] = {"duration": 0.0012, "error": "" if outcome.ok else "wait: no answer within 5 s"} | more
    return Result(target=target(probe, port, host), source="node-1", start=0.0, outcome=outcome, **facts)


def test_the_table_of_a_good_round() -> None:
    """It has a row per result under a head, aligned columns, the address of a name, and a sentence."""
    found = [
        made("tcp", 8080, address="10.0.0.1"),
        made("udp", 8081, duration=0.25, address="10.0.0.1"),
        made("http", 8082, host="10.0.0.1", address="10.0.0.1"),
    ]
    assert table(found, "node-1").splitlines() == [
        "PROBE  TARGET         OUTCOME  LATENCY  DETAIL",
        "tcp    echo:8080      success  1.2ms    answered by 10.0.0.1",
        "udp    echo:8081      success  250ms    answered by 10.0.0.1",
        "http   10.0.0.1:8082  success  1.2ms",
        "",
        "All 3 probes from node-1 were answered.",
    ]


def test_a_round_of_one_probe() -> None:
    """If the settings leave one probe, the sentence is in the singular."""
    assert table([made("tcp", 8080)], "node-1").splitlines()[-1] == "The only probe from node-1 was answered."


def test_the_table_of_a_bad_round() -> None:
    """A failure has outcome and cause, with the address of a name, and the sentence names what failed."""
    unknown = "resolve: echo: name or service not known"
    found = [
        made("tcp", 8080, Outcome.RESOLVE_ERROR, error=unknown),
        made("udp", 8081, address="10.0.0.1"),
        made(
            "http",
            8082,
            Outcome.BAD_REPLY,
            error="transfer: status 503 for GET /",
            details=Details(503),
            address="10.0.0.1",
        ),
    ]
    assert table(found, "node-1").splitlines() == [
        "PROBE  TARGET     OUTCOME        LATENCY  DETAIL",
        f"tcp    echo:8080  resolve_error  1.2ms    {unknown}",
        "udp    echo:8081  success        1.2ms    answered by 10.0.0.1",
        "http   echo:8082  bad_reply      1.2ms    transfer: status 503 for GET / (10.0.0.1)",
        "",
        "2 of 3 probes from node-1 failed: tcp (resolve_error), http (bad_reply).",
    ]


def test_text_from_targets_cannot_move_the_cursor() -> None:
    """Unprintable characters are escaped."""
    text = table([made("tcp", 8080, Outcome.BAD_REPLY, error="wait: \x1b[2J\r\nAll is well")], "node-1")
    assert r"wait: \x1b[2J\r\nAll is well" in text
    assert all(line.isprintable() for line in text.splitlines())


def test_json() -> None:
    """JSON has the node, whether everything is good, and the flat results."""
    found = [made("tcp", 8080), made("http", 8082, Outcome.TIMEOUT)]
    assert as_object(found, "node-1") == {
        "node": "node-1",
        "ok": False,
        "results": [result.fields for result in found],
    }
    assert as_object(found[:1], "node-1")["ok"] is True


LATE = made("tcp", 80, Outcome.TIMEOUT, duration=5.0)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ([], "0 probes, 0 answered"),
        ([LATE], "1 probe, 0 answered"),
        ([made("tcp", 80)], "1 probe, 1 answered; latency min 1.2ms, median 1.2ms, max 1.2ms"),
        (
            [made("tcp", 80, duration=seconds) for seconds in (0.03, 0.001, 0.002)] + [LATE],
            "4 probes, 3 answered; latency min 1ms, median 2ms, max 30ms",
        ),
    ],
)
def test_the_sum_of_a_series(found: list[Result], text: str) -> None:
    """The sum has the number of answers and their latency; probes without an answer have none."""
    assert summary(found) == text


@pytest.mark.parametrize(
    ("api", "sentence"),
    [
        ({}, "the API server does not answer."),
        ({"api": "unanswered", "api_cause": "timed out"}, "the API server does not answer (timed out)."),
        (
            {"api": "refused", "api_status": 401, "api_cause": "401 Unauthorized"},
            "the API server refuses this pod's token: it has expired, or its account was deleted (401 Unauthorized).",
        ),
        (
            {"api": "refused", "api_status": 429, "api_cause": "429 Too Many Requests"},
            "the API server is busy and asks this pod to wait (429 Too Many Requests).",
        ),
        (
            {"api": "refused", "api_status": 503, "api_cause": "503\x1b[31m"},
            "the API server answers with an internal error (503\\x1b[31m).",
        ),
        ({"api": "untrusted"}, "the API server answers, but TLS with it fails."),
        ({"api": "a word of tomorrow"}, "the API server does not return the list of peers."),
    ],
)
def test_the_report_says_why_peers_are_outdated(api: dict[str, Any], sentence: str) -> None:
    """A refusal is not silence. A snapshot without these fields is of an older prober, and a cause is escaped."""
    mesh = MeshView(known=2, probers=2, probed=2, paths=2, stale_since=1_000_000.0, **api)
    snapshot = Snapshot(node="a", zone="", network="pod", time=2_000_000.0, mesh=mesh, paths=[])
    last = windows(snapshot).splitlines()[-1]
    assert last.startswith("No news of peers since ")
    assert last.partition(": ")[2] == sentence
