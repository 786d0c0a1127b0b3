"""The standard variables of OTLP: which one counts, and the message for a mistake."""

from __future__ import annotations

import pytest

from smoker_hub.otlp.options import Options, read

BASE = "OTEL_EXPORTER_OTLP_"
ENDPOINT = {f"{BASE}ENDPOINT": "http://collector:4318/base/"}


def test_without_an_endpoint_nothing_is_sent() -> None:
    """Without an endpoint nothing is sent, whatever else is set."""
    found, mistakes = read({f"{BASE}COMPRESSION": "gzip", f"{BASE}ENDPOINT": " "})
    assert (found.logs, found.metrics, mistakes) == (None, None, [])


def test_paths_follow_the_common_endpoint_alone() -> None:
    """An endpoint of one signal is used unchanged, and is not used for the other."""
    found, mistakes = read(ENDPOINT)
    assert found.logs == Options("http://collector:4318/base/v1/logs")
    assert found.metrics == Options("http://collector:4318/base/v1/metrics")
    alone, more = read({f"{BASE}LOGS_ENDPOINT": "https://logs.example/in"})
    assert (alone.logs, alone.metrics) == (Options("https://logs.example/in"), None)
    assert mistakes == more == []


def test_a_signal_overrides_what_is_common() -> None:
    """A signal overrides headers, time-out and compression; values of headers are percent-encoded."""
    found, mistakes = read(
        {
            **ENDPOINT,
            f"{BASE}HEADERS": "authorization=Bearer%20x, x-tenant = net",
            f"{BASE}TIMEOUT": "2500",
            f"{BASE}COMPRESSION": "gzip",
            f"{BASE}METRICS_HEADERS": "api-key=k",
            f"{BASE}METRICS_COMPRESSION": "none",
            f"{BASE}METRICS_ENDPOINT": "http://other/m",
            f"{BASE}PROTOCOL": "http/protobuf",
            "OTEL_METRIC_EXPORT_INTERVAL": "15000",
        }
    )
    assert mistakes == []
    assert found.logs == Options(
        "http://collector:4318/base/v1/logs", {"authorization": "Bearer x", "x-tenant": "net"}, 2.5, gzip=True
    )
    assert found.metrics == Options("http://other/m", {"api-key": "k"}, 2.5, gzip=False)
    assert found.interval == 15.0


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("ENDPOINT", "collector:4318", "is not a URL"),
        ("PROTOCOL", "grpc", "is not http/protobuf"),
        ("LOGS_PROTOCOL", "http/json", "is not http/protobuf"),
        ("TIMEOUT", "10s", "is not a whole number of milliseconds"),
        ("TIMEOUT", "0", "is not a whole number of milliseconds"),
        ("COMPRESSION", "zstd", "is neither gzip nor none"),
        ("HEADERS", "authorization", "is not a comma-separated list of NAME=VALUE"),
        ("HEADERS", "a=b\x07c", "is not a comma-separated list of NAME=VALUE"),
        ("HEADERS", "a b=secret", "is not a comma-separated list of NAME=VALUE"),
        ("HEADERS", "a=secret%0d%0aHost: x", "is not a comma-separated list of NAME=VALUE"),
        ("METRICS_CERTIFICATE", "/nothing/here", "no such file"),
    ],
)
def test_mistakes_are_named_once(variable: str, text: str, words: str) -> None:
    """A mistake is reported by its variable, without the text, which may be a secret."""
    _, mistakes = read(ENDPOINT | {BASE + variable: text})
    assert len(mistakes) == 1
    assert mistakes[0].startswith(f"{BASE}{variable} ")
    assert words in mistakes[0]
    assert "secret" not in mistakes[0]


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        ("CLIENT_CERTIFICATE", "CLIENT_KEY"),
        ("CLIENT_KEY", "CLIENT_CERTIFICATE"),
        ("LOGS_CLIENT_CERTIFICATE", "LOGS_CLIENT_KEY"),
        ("METRICS_CLIENT_KEY", "METRICS_CLIENT_CERTIFICATE"),
    ],
)
def test_a_client_needs_a_certificate_and_a_key(given: str, needed: str) -> None:
    """One of the two alone is a mistake that names the other."""
    (mistake,) = read(ENDPOINT | {BASE + given: "/nothing/here"})[1]
    assert mistake.startswith(f"{BASE}{given} is set without a ")
    assert mistake.endswith(f": it needs {BASE}{needed}")


def test_files_of_a_client_are_checked_once() -> None:
    """Files that cannot be used are one mistake, with the variables and the files."""
    files = {f"{BASE}CLIENT_CERTIFICATE": "/nothing/a", f"{BASE}METRICS_CLIENT_KEY": "/nothing/b"}
    _, mistakes = read(ENDPOINT | files | {f"{BASE}CLIENT_KEY": "/nothing/c"})
    both = "{0}CLIENT_CERTIFICATE and {0}{1} do not fit: /nothing/a cannot be used: no such file or directory and {2}"
    missing = "/nothing/{} cannot be used: no such file or directory"
    assert mistakes == [
        both.format(BASE, "CLIENT_KEY", missing.format("c")),
        both.format(BASE, "METRICS_CLIENT_KEY", missing.format("b")),
    ]
