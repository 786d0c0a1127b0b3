"""Logging: the form of lines, escaping, and the limit on lines that clients cause."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator

import gevent
import pytest
from loguru import logger

from smoker_common import log
from tests.conftest import eventually


class Streams:
    """stdout and stderr as they are when logging is configured."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys, self._out, self._err = capsys, "", ""

    def configure(self, form: str = "text", level: str = "INFO") -> None:
        log.configure(level, form, results=sys.stdout)

    @property
    def out(self) -> str:
        self._read()
        return self._out

    @property
    def err(self) -> str:
        self._read()
        return self._err

    def _read(self) -> None:
        out, err = self._capsys.readouterr()
        self._out += out
        self._err += err


@pytest.fixture
def streams(capsys: pytest.CaptureFixture[str]) -> Iterator[Streams]:
    """Streams of a process; logging is restored afterwards."""
    yield Streams(capsys)
    logger.remove()


def test_a_line_has_time_level_message_and_fields(streams: Streams) -> None:
    """A line has time and level in brackets, then words, then key=value."""
    streams.configure()
    logger.info("connection closed", client="[::1]:5", received=4, note="two words")
    pattern = (
        r'\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] \[INFO\] connection closed client=\[::1\]:5 received=4 note="two words"\n'
    )
    assert re.fullmatch(pattern, streams.err)


def test_nothing_unprintable_reaches_a_line(streams: Streams) -> None:
    """Line feeds, escapes and quotes from outside cannot forge a line or a field, in message or field."""
    streams.configure()
    logger.info("{}", "a\nb\x1b[31m", path="x\r\n[2026-01-01 00:00:00] [INFO] forged\u202e", key='a" b=c')
    text = streams.err
    assert text.count("\n") == 1
    assert r"a\nb\x1b[31m" in text
    assert "\\u202e" in text
    assert "\x1b" not in text
    assert r'key="a\" b=c"' in text


def test_json_is_one_flat_object_a_line(streams: Streams) -> None:
    """Every line parses, holds time, level and message, and no nested object."""
    streams.configure("json")
    logger.warning("x\ny", client="1.2.3.4:5")
    try:
        raise ValueError("why\nnot")
    except ValueError:
        logger.exception("failed")
    lines = [json.loads(line) for line in streams.err.splitlines()]
    assert [line["level"] for line in lines] == ["WARNING", "ERROR"]
    assert lines[0]["client"] == "1.2.3.4:5"
    assert lines[1]["exception"] == "ValueError: why\nnot"
    assert not any(isinstance(value, dict | list) for line in lines for value in line.values())


@pytest.mark.parametrize("form", ["text", "json"])
def test_fields_of_the_process_are_in_every_line(streams: Streams, form: str) -> None:
    """They follow the fields of the line. As text, a result line and one that goes on with another have none."""
    log.configure("INFO", form, results=sys.stdout, fields={"cluster": "blue"})
    logger.info("{braces} are kept")
    logger.warning("cut off", heard=3)
    logger.info("  next: kubectl describe node a")
    logger.bind(result=lambda: {"outcome": "success"}).success("{}", "the line")
    if form == "text":
        assert [line.partition("] [")[2] for line in streams.err.splitlines()] == [
            "INFO] {braces} are kept cluster=blue",
            "WARNING] cut off heard=3 cluster=blue",
            "INFO]   next: kubectl describe node a",
        ]
        assert streams.out == "the line\n"
    else:
        lines = [json.loads(line) for line in (streams.err + streams.out).splitlines()]
        assert [line["cluster"] for line in lines] == ["blue"] * 4
        assert lines[3]["outcome"] == "success"


def test_results_go_to_their_stream_and_nothing_else_does(streams: Streams) -> None:
    """Only results go to stdout, so a pipe can rely on it."""
    streams.configure()
    logger.info("started")
    logger.bind(result={"outcome": "success"}).success("{}", "the line")
    assert streams.out == "the line\n"
    assert "started" in streams.err
    assert "the line" not in streams.err


def test_the_level_counts_for_both_streams(streams: Streams) -> None:
    """With LOG_LEVEL=ERROR only failures are left."""
    streams.configure(level="ERROR")
    logger.bind(result={}).success("{}", "good")
    logger.bind(result={}).error("{}", "bad")
    assert streams.out == "bad\n"


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({"FORCE_COLOR": "1"}, True), ({}, False), ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False)],
)
def test_colour_follows_no_color_and_force_color(
    streams: Streams, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], coloured: bool
) -> None:
    """FORCE_COLOR colours a pipe; NO_COLOR overrides it."""
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    streams.configure()
    logger.info("x")
    assert ("\x1b[" in streams.err) is coloured


def test_lines_above_the_rate_are_summed_in_one_line(streams: Streams) -> None:
    """1,000 events at a rate of 5 give five lines, and one that counts the other 995 and their bytes."""
    streams.configure()
    requests = log.RequestLog("request", "requests", 5)
    for _ in range(1000):
        requests(("10.0.0.1", 5), 2, 3)
    assert streams.err.count("[INFO] request client=10.0.0.1:5 received=2 sent=3") == 5
    eventually("the sum is written", lambda: "995 more requests" in streams.err)
    assert "995 more requests received=1990 sent=2985 errors=0" in streams.err
    assert streams.err.count("\n") == 6


def test_the_summary_line_keeps_the_last_error(streams: Streams) -> None:
    """The sum contains the last error of the events without a line."""
    streams.configure()
    requests = log.RequestLog("datagram", "datagrams", 0)
    requests(("10.0.0.1", 5), 1, 0, "refused: why")
    requests(("10.0.0.1", 5), 1, 1)
    requests.sum_up()
    assert "[WARNING] 2 more datagrams received=2 sent=1 errors=1 last_error=" in streams.err
    gevent.sleep(0)


def test_errors_have_a_budget_of_their_own(streams: Streams) -> None:
    """Successes do not use up the lines of errors."""
    streams.configure(level="WARNING")
    requests = log.RequestLog("request", "requests", 2)
    for _ in range(10):
        requests(("10.0.0.1", 5), 1, 1)
    requests(("10.0.0.1", 6), 1, 0, "why")
    assert "client=10.0.0.1:6" in streams.err


def test_the_sum_is_logged_at_the_end(streams: Streams) -> None:
    """The sum is logged when a service ends."""
    streams.configure()
    requests = log.RequestLog("request", "requests", 0)
    requests(("10.0.0.1", 5), 1, 1)
    log.sum_up()
    log.sum_up()
    assert streams.err.count("1 more requests received=1 sent=1 errors=0") == 1


def test_an_error_of_one_request_is_a_warning_with_its_cause(streams: Streams) -> None:
    """A connection that was reset is logged as a warning with this cause."""
    streams.configure()
    request_log = log.RequestLog("connection closed", "connections", 5)
    request_log(("10.0.0.1", 5), 1, 0, "connection reset by peer", lambda: {"path": "/"})
    line = '[WARNING] connection closed client=10.0.0.1:5 path=/ received=1 sent=0 error="connection reset by peer"'
    assert line in streams.err
