"""Settings: one declaration, all mistakes at once."""

from __future__ import annotations

from dataclasses import dataclass, fields

import pytest

from smoker_common.kinds import (
    InvalidValue,
    address,
    duration,
    duration_text,
    level,
    name,
    port,
    seconds,
    some_of,
    whole,
)
from smoker_common.settings import ServiceSettings, declaration, describe, parse, setting


@dataclass(frozen=True)
class Example(ServiceSettings):
    """Settings of each kind."""

    echo_port: int = setting("ECHO_PORT", 8080, port, "a port", listen="tcp")
    pause: float = setting("PAUSE", 1.5, seconds(0.5, 10), "a pause")
    host: str = setting("HOST", lambda: "made", name, "a host")
    ways: tuple[str, ...] = setting("WAYS", ("road", "rail"), some_of("road", "rail", "sea"), "ways")


def test_defaults_hold_where_nothing_is_set() -> None:
    """An empty environment gives the defaults; a callable default is called."""
    settings, problems = parse(Example, {})
    assert (settings.echo_port, settings.pause, settings.host, settings.log_level) == (8080, 1.5, "made", "INFO")
    assert problems == []


def test_an_empty_variable_counts_as_unset() -> None:
    """An empty variable, as a template leaves it for a missing value, counts as unset."""
    settings, problems = parse(Example, {"ECHO_PORT": "", "PAUSE": "  "})
    assert (settings.echo_port, settings.pause, problems) == (8080, 1.5, [])


def test_all_mistakes_are_named_at_once() -> None:
    """Each invalid variable gives one problem with its name, its text and what is allowed; the others are read."""
    settings, problems = parse(Example, {"ECHO_PORT": "80 80", "PAUSE": "0.1", "LOG_FORMAT": "xml", "HOST": "node-1"})
    assert settings.host == "node-1"
    assert problems == [
        "LOG_FORMAT='xml' is not one of text, json",
        "ECHO_PORT='80 80' is not a whole number from 1 to 65535",
        "PAUSE='0.1' is not a number of seconds from 0.5 to 10",
    ]


def test_a_list_of_words() -> None:
    """A list has commas or spaces, any case and order, each word once; at least one, and only allowed ones."""
    for text, ways in (("sea", ("sea",)), ("SEA, road,sea", ("road", "sea"))):
        assert parse(Example, {"WAYS": text})[0].ways == ways
    for text in (",", "road,air"):
        assert parse(Example, {"WAYS": text})[1] == [
            f"WAYS={text!r} is not a comma- or space-separated list of road, rail, sea"
        ]
    assert "default: road,rail" in describe(Example)


def test_a_service_link_is_recognised() -> None:
    """A port that a Service's environment variable has overwritten is reported with the remedy."""
    problems = parse(Example, {"ECHO_PORT": "tcp://10.0.0.1:80"})[1]
    assert "enableServiceLinks: false" in problems[0]


def test_a_long_text_is_cut_in_the_message() -> None:
    """A megabyte in a variable does not become a megabyte in the log."""
    assert len(parse(Example, {"ECHO_PORT": "x" * 10**6})[1][0]) < 200


@pytest.mark.parametrize("text", ["0", "65536", "-1", "+5", "1_000", "1e3", "8080.0", "٣", "0x50"])
def test_a_port_is_a_plain_decimal(text: str) -> None:
    """A port is a plain decimal number: other forms that Python reads as a number are refused."""
    with pytest.raises(InvalidValue):
        port(text)


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "5s", "11", ""])
def test_seconds_are_finite_and_in_range(text: str) -> None:
    """Neither infinity nor NaN is a duration."""
    with pytest.raises(InvalidValue):
        seconds(0, 10)(text)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (level, "debug", "DEBUG"),
        (whole(0, 5, "bytes"), "5", 5),
        (address, "::1", "::1"),
        (name, "a.b", "a.b"),
        (port, "1", 1),
    ],
)
def test_allowed_values_are_accepted(kind, text, value) -> None:  # type: ignore[no-untyped-def]
    """Words in any case, the ends of a range, and addresses of both families are accepted."""
    assert kind(text) == value


@pytest.mark.parametrize("text", ["a b", "a\nb", "x" * 254, "\x1b[31m"])
def test_a_name_cannot_break_a_log_line(text: str) -> None:
    """Names are part of log lines, so white space and control characters are refused."""
    with pytest.raises(InvalidValue):
        name(text)


def test_the_description_has_every_variable() -> None:
    """--help prints each variable with what is allowed and the default."""
    text = describe(Example)
    for field in fields(Example):
        declared = declaration(field)
        assert f"  {declared.variable} " in text
        assert declared.kind.allowed in text
    assert "default: 8080" in text
    assert "default: unset" in text


@pytest.mark.parametrize(
    ("text", "seconds_"),
    [
        ("500ms", 0.5),
        ("30s", 30.0),
        ("5m", 300.0),
        ("1h", 3600.0),
        ("30", 30.0),
        ("0.25", 0.25),
        ("1.5h", 5400.0),
        ("1d", 86400.0),
    ],
)
def test_durations(text: str, seconds_: float) -> None:
    """A duration has a unit; a bare number is seconds."""
    assert duration(0.1, 86400)(text) == seconds_


@pytest.mark.parametrize("text", ["", "s", "30 s", "30S", "-1s", "1w", "nan", "1e3", "1h30m", "99ms", "25h", "9" * 400])
def test_an_invalid_duration_is_refused(text: str) -> None:
    """Another unit, a sign, a sum or a value out of range is refused with the range."""
    with pytest.raises(InvalidValue, match=r"^a duration from 100ms to 1d, such as 500ms, 30s or 5m \(a bare number"):
        duration(0.1, 86400)(text)


def test_durations_as_text() -> None:
    """The text of a duration has the largest unit in which it is whole, and is read as the same duration."""
    texts = {
        0.0: "0s",
        0.001: "1ms",
        0.25: "250ms",
        1.5: "1500ms",
        30.0: "30s",
        90.0: "90s",
        300.0: "5m",
        3600.0: "1h",
        86400.0: "1d",
    }
    assert {value: duration_text(value) for value in texts} == texts
    assert all(duration(0, 86400)(text) == value for value, text in texts.items())
