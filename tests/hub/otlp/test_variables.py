"""Variables without effect are named in one line, and the page lists those that are read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from smoker_hub.otlp.options import read
from smoker_hub.otlp.variables import EXPORTER, GENERAL, PREFIX

PAGE = Path(__file__).resolve().parents[3] / "docs" / "collecting.md"
HTTP, HTTPS = {f"{PREFIX}ENDPOINT": "http://c"}, {f"{PREFIX}ENDPOINT": "https://c"}
UNREAD = "the hub does not read {}; docs/collecting.md lists what it reads"
IDLE = "without effect, because no endpoint is set for OTLP: {}"
PLAIN = "without effect, because the endpoint for OTLP is not https: {}"


@pytest.mark.parametrize(
    ("variables", "notes"),
    [
        ({}, []),
        ({"OTEL_TRACES_EXPORTER": " ", f"{PREFIX}INSECURE": ""}, []),
        (HTTP | {"OTEL_SERVICE_NAME": "a", f"{PREFIX}HEADERS": "a=b", "OTEL_METRIC_EXPORT_INTERVAL": "500"}, []),
        (
            {f"{PREFIX}TRACES_ENDPOINT": "http://c", f"{PREFIX}INSECURE": "true", f"{PREFIX}LOG_ENDPOINT": "http://c"},
            [UNREAD.format(f"{PREFIX}INSECURE, {PREFIX}LOG_ENDPOINT, {PREFIX}TRACES_ENDPOINT")],
        ),
        (
            HTTP | {f"{PREFIX}METRICS_TEMPORALITY_PREFERENCE": "delta", "OTEL_BLRP_SCHEDULE_DELAY": "1"},
            [UNREAD.format(f"OTEL_BLRP_SCHEDULE_DELAY, {PREFIX}METRICS_TEMPORALITY_PREFERENCE")],
        ),
        (
            {f"{PREFIX}HEADERS": "a=b", f"{PREFIX}LOGS_TIMEOUT": "1", "OTEL_SERVICE_NAME": "a"},
            [IDLE.format(f"{PREFIX}HEADERS, {PREFIX}LOGS_TIMEOUT, OTEL_SERVICE_NAME")],
        ),
        (
            {f"{PREFIX}METRICS_ENDPOINT": "http://c", f"{PREFIX}HEADERS": "a=b", f"{PREFIX}LOGS_HEADERS": "a=b"},
            [IDLE.format(f"{PREFIX}LOGS_HEADERS")],
        ),
        (
            HTTP | {f"{PREFIX}CERTIFICATE": "f", f"{PREFIX}LOGS_CLIENT_KEY": "f"},
            [PLAIN.format(f"{PREFIX}CERTIFICATE, {PREFIX}LOGS_CLIENT_KEY")],
        ),
        (HTTP | {f"{PREFIX}LOGS_ENDPOINT": "HTTPS://c", f"{PREFIX}CERTIFICATE": "f"}, []),
        (HTTPS | {f"{PREFIX}CLIENT_CERTIFICATE": "f", f"{PREFIX}METRICS_CLIENT_KEY": "f"}, []),
    ],
)
def test_variables_without_effect_are_named(variables: dict[str, str], notes: list[str]) -> None:
    """A variable that the hub does not read, that has no endpoint or no TLS is named once."""
    assert read(variables)[0].notes == notes


def test_a_note_is_bounded() -> None:
    """A note names twenty variables, as printable text, and the number of the others."""
    (note,) = read({f"OTEL_{number:02}\n": "x" for number in range(23)})[0].notes
    assert note.isprintable()
    assert r"OTEL_19\n and 3 more" in note
    assert "OTEL_20" not in note


@pytest.mark.parametrize("text", ["true", "True", "TRUE "])
def test_a_disabled_sdk_sends_nothing(text: str) -> None:
    """With OTEL_SDK_DISABLED nothing is sent or checked, and one line says so."""
    found, mistakes = read({f"{PREFIX}ENDPOINT": "nonsense", f"{PREFIX}INSECURE": "true", "OTEL_SDK_DISABLED": text})
    assert (found.logs, found.metrics, mistakes) == (None, None, [])
    assert found.notes == ["OTEL_SDK_DISABLED is true: nothing is sent over OTLP"]


def test_only_true_disables() -> None:
    """Any other text counts as false, with a line unless it is false."""
    assert read(HTTP | {"OTEL_SDK_DISABLED": "False"})[0].notes == []
    found, mistakes = read(HTTP | {"OTEL_SDK_DISABLED": "1"})
    assert (found.logs is None, mistakes) == (False, [])
    assert found.notes == ["OTEL_SDK_DISABLED is neither true nor false, so it counts as false"]


def test_an_exporter_of_none_switches_a_signal_off() -> None:
    """OTEL_LOGS_EXPORTER and OTEL_METRICS_EXPORTER take otlp and none; another exporter is a mistake."""
    found, mistakes = read(HTTP | {"OTEL_LOGS_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "otlp"})
    assert (found.logs, found.metrics is None, found.notes, mistakes) == (None, False, [], [])
    _, mistakes = read(HTTP | {"OTEL_LOGS_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "otlp,prometheus"})
    assert mistakes == [f"OTEL_{signal}_EXPORTER is neither otlp nor none" for signal in ("LOGS", "METRICS")]


def test_the_page_lists_what_is_read() -> None:
    """The table of docs/collecting.md lists exactly the variables that are read."""
    rows = re.findall(r"^\| ((?:`OTEL_\w+`(?:, )?)+) \|", PAGE.read_text(), re.MULTILINE)
    listed = re.findall(r"`(\w+)`", " ".join(rows))
    assert sorted(listed) == sorted([*GENERAL, *(PREFIX + name for name in EXPORTER)])
