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
        {"probe": "tls", "host": "h", "tls": {"ca": "a\tb"}},
        {"url": "http://h", "http": {"path": "x"}},
        {"url": "http://h", "http": {"path": "/a b"}},
        {"url": "http://h", "http": {"path": "/a#b"}},
        {"url": "http://h", "http": {"headers": {"a b": "c"}}},
        {"url": "http://h", "http": {"headers": {"Content-Length": "1"}}},
        {"url": "http://h", "http": {"headers": {"a": "b\u00e9"}}},
        {"url": "http://h", "http": {"headers": {f"a{n}": "b" for n in range(33)}}},
        {"url": "http://h", "http": {"expect": {"status": "20"}}},
        {"url": "http://h", "http": {"expect": {"status": "6xx"}}},
        {"url": "http://h", "http": {"expect": {"status": 99}}},
        {"url": "http://h", "http": {"expect": {"body": "x" * 201}}},
        {"url": "dns://h/a..b"},
        {"url": "dns://h/-a"},
        {"url": "dns://h/a/b"},
        {"url": "dns://h/a?names=b"},
        {"url": "tls://h?tls.ca=b"},
        {"probe": "dns", "dns": {"name": "a..b"}},
        {"probe": "dns", "dns": {"name": "a" * 64}},
        {"probe": "dns", "dns": {"name": "a." * 128}},
        {"url": "grpc://h:1", "grpc": {"service": "a b"}},
        {"url": "ws://h", "websocket": {"subprotocol": "a,b"}},
    ],
)
def test_values_that_both_refuse(entry: dict[str, Any]) -> None:
    """What the schema can say of a value it says: the prober refuses each of these, too."""
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
        {"url": "dns://h/x%2Eexample"},
        {"url": "dns://h/_sip._udp.Example.?type=SRV"},
        {"url": "dns://h/a?expect.rcode=NXDOMAIN&type=A"},
        {"probe": "dns", "dns": {"name": "_sip._udp.Example."}},
        {"probe": "dns"},
        {"url": "http://h", "http": {"path": "/a,b?c=d&e=%20"}},
        {"url": "http://h", "http": {"headers": {"Accept": "a/b, c/d", "X-A_b": ""}}},
        {"url": "http://h", "http": {"expect": {"status": "200, 3xx,400-499", "body": "x" * 200}}},
        {"url": "http://h", "http": {"expect": {"status": 599}, "ca": "/a b/c.pem"}},
        {"url": "grpc://h:1", "grpc": {"service": "a.b/C"}},
        {"url": "ws://h", "websocket": {"subprotocol": "v1.a+b"}},
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
