"""The schema of the plan and the prober's reader judge the same."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from jsonschema import Draft7Validator

from smoker_prober.config.load import read
from smoker_prober.config.target_list import MOST
from smoker_prober.probes import PROBES
from tests.prober.config import pages

VALID = Draft7Validator(json.loads(pages.SCHEMA.read_text()))
URLS = ("", "http://h/", "https://h/", "tcp://h:1", "tls://h", "dns://h/x.example", "grpcs://h:1", "ws://h/")
OPTIONS = ("", "http", "dns", "tls", "grpc", "websocket")


def plan(**entry: Any) -> dict[str, Any]:
    """Return a plan with one target of these keys, without empty ones."""
    return {"targets": [{key: value for key, value in entry.items() if value != ""}]}


def accepted(wanted: dict[str, Any]) -> bool:
    """Return whether the prober's reader takes a plan."""
    return not read(json.dumps(wanted).encode())[1]


@pytest.mark.parametrize("probe", ["", *PROBES])
@pytest.mark.parametrize("url", URLS)
def test_combinations_of_keys(url: str, probe: str) -> None:
    """Whatever keys an entry has, the schema refuses it if and only if the reader does."""
    for host, port, options in itertools.product(("", "h"), ("", 1), OPTIONS):
        wanted = plan(url=url, probe=probe, host=host, port=port, **({options: {}} if options else {}))
        assert VALID.is_valid(wanted) == accepted(wanted), wanted


@pytest.mark.parametrize(
    "entry",
    [
        {"url": "https://h/", "http": {"tls": False}},
        {"url": "wss://h/", "websocket": {"tls": False}},
        {"url": "grpcs://h:1", "grpc": {"tls": False}},
        {"url": "ftp://h"},
        {"url": "tcp://h"},
        {"url": "https://h h/"},
        {"url": "https://h?x=1"},
        {"url": "tcp://h:1/x"},
        {"url": "tls://h/x"},
        {"url": "tls://h?"},
        {"url": "tls://a?b"},
        {"url": "dns://h/x.example?type=A&&"},
        {"url": "grpc://h:1/x"},
        {"probe": "tls", "host": "h:1"},
        {"probe": "tls", "host": "https://h"},
        {"probe": "tls", "host": "h", "tls": {"serverName": "a b"}},
    ],
)
def test_values_that_both_refuse(entry: dict[str, Any]) -> None:
    """A URL, a host and `tls: false` beside a URL over TLS are judged by both."""
    assert not accepted(plan(**entry))
    assert not VALID.is_valid(plan(**entry))


@pytest.mark.parametrize(
    "entry",
    [
        {"url": "https://h/", "http": {"tls": True}},
        {"url": "http://h/", "http": {"tls": False}},
        {"url": "dns://h/x.example?transport=tls&ca=/etc/ca.pem"},
        {"url": "dns://?type=AAAA"},
        {"url": "https://h/x?y=1&z=a/b?c"},
        {"url": "ws://h:1/chat?room=1"},
        {"url": "tls://[fd00::1]:1?serverName=h&alpn=h2%2Ch3"},
        {"url": "grpcs://h:1/?service=a.b"},
        {"url": "dns://", "dns": {"name": "x.example"}},
        {"probe": "dns"},
        {"probe": "tls", "host": "fd00::1", "tls": {"serverName": "x.example"}},
    ],
)
def test_values_that_both_accept(entry: dict[str, Any]) -> None:
    """What the schema checks is no stricter than the prober."""
    assert accepted(plan(**entry))
    assert VALID.is_valid(plan(**entry))


def test_the_number_of_targets() -> None:
    """Both take as many targets as have series, and no more."""
    for number in (MOST, MOST + 1):
        many = {"targets": [{"probe": "connect", "host": "h", "port": port + 1} for port in range(number)]}
        assert VALID.is_valid(many) == accepted(many) == (number == MOST)
