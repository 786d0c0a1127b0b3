"""Which requests the parser accepts by version and host, and how it refuses others."""

from __future__ import annotations

import pytest

from smoker_common.http_request import RequestParser

OTHER_VERSION = "505 HTTP Version Not Supported"
BAD = "400 Bad Request"


def parsed(raw: bytes, step: int = 0) -> RequestParser:
    """Return a parser that was fed `raw`, in pieces of `step` bytes unless that is 0."""
    parser = RequestParser()
    for start in range(0, len(raw), step or len(raw)):
        parser.feed(raw[start : start + (step or len(raw))])
    return parser


def status(raw: bytes, step: int = 0) -> str:
    """Return the status with which the parser refuses `raw`; 200 if it accepts the whole request."""
    parser = parsed(raw, step)
    if parser.refused is not None:
        assert not parser.requests
        return parser.refused.status
    assert parser.requests[-1].complete
    return "200"


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"GET / HTTP/1.1\r\nHost: a", "200"),
        (b"GET / HTTP/1.0", "200"),
        (b"GET / HTTP/1.2\r\nHost: a", "200"),
        (b"GET / HTTP/1.9\r\nHost: a", "200"),
        (b"GET / HTTP/1.2", BAD),  # what holds for 1.1 holds for it
        (b"GET / HTTP/2.0\r\nHost: a", OTHER_VERSION),
        (b"GET / HTTP/2.0", OTHER_VERSION),
        (b"GET / HTTP/3.0\r\nHost: a", OTHER_VERSION),
        (b"GET / HTTP/9.9\r\nHost: a", OTHER_VERSION),
        (b"GET / HTTP/0.8", OTHER_VERSION),
        (b"POST / HTTP/2.0\r\nHost: a\r\nContent-Length: 0", OTHER_VERSION),
        (b"GET / HTTP/2", BAD),
        (b"GET / HTTP/1.10\r\nHost: a", BAD),
        (b"GET / HTTP/11.0\r\nHost: a", BAD),
        (b"GET / http/1.1\r\nHost: a", BAD),
        (b"PRI * HTTP/2.0\r\n\r\nSM", OTHER_VERSION),
    ],
)
def test_a_version_is_served_or_refused(head: bytes, expected: str, step: int) -> None:
    """HTTP/1.x is served, another major version gets a 505, and no version a 400, in one piece or byte by byte."""
    assert status(head + b"\r\n\r\n", step) == expected


def test_a_higher_minor_version_is_served_as_1_1() -> None:
    """Its connection stays open, and the application reads 1.1 (RFC 9110 section 6.2)."""
    request = parsed(b"GET / HTTP/1.3\r\nHost: a\r\n\r\n").requests[0]
    assert (request.version, request.keep_alive) == ("1.1", True)


def test_an_unknown_method_of_another_version_is_505() -> None:
    """The version decides before the method: 405 is an answer of HTTP/1.1."""
    assert status(b"BREW / HTTP/2.0\r\nHost: a\r\n\r\n") == OTHER_VERSION
    assert status(b"BREW / HTTP/1.2\r\nHost: a\r\n\r\n") == "405 Method Not Allowed"


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize(
    "value",
    [
        *(
            b"",
            b"a",
            b"a.b.",
            b"a:8082",
            b"a:",
            b"_x",
            b"10.0.0.1:9464",
            b"[::1]",
            b"[fd78::1]:8082",
            b"[::ffff:1.2.3.4]",
        ),
        *(b"xn--bcher-kva.test", b"a%20b", b"  a \t"),
    ],
)
def test_a_valid_host_field_is_accepted(version: bytes, value: bytes) -> None:
    """Names, addresses, a port and an empty value are accepted.

    By RFC 9112 section 3.2 a target may have no authority.
    """
    assert status(b"GET / HTTP/%s\r\nHost: %s\r\n\r\n" % (version, value)) == "200"


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize(
    "value",
    [
        *(
            b"a b",
            b"a,b c",
            b"http://a",
            b"a/b",
            b"a:x",
            b"a:1:2",
            b"::1",
            b"[::1",
            b"[::1]x",
            b"[fe80::1%eth0]",
            b":80",
        ),
        *(b"[:::]", b"[1.2.3.4]", b"u@a", b"a%2", b"a?b", b"a#b", b"a\\b", "b\u00fc.test".encode(), b"a:123456", b"[]"),
    ],
)
def test_an_invalid_host_field_is_400(version: bytes, value: bytes) -> None:
    """An invalid Host value is refused in any version (RFC 9112 section 3.2)."""
    assert status(b"GET / HTTP/%s\r\nHost: %s\r\n\r\n" % (version, value)) == BAD


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"GET / HTTP/1.1", BAD),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a", BAD),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nhOST: b", BAD),
        (b"GET / HTTP/1.0\r\nHost: a\r\nHost: a", BAD),
        (b"GET / HTTP/1.1\r\nHost:\r\nHost:", BAD),
        (b"GET / HTTP/1.1\r\nX-Host: a", BAD),
        (b"GET http://b/x HTTP/1.1", BAD),
        (b"GET http://b/x HTTP/1.1\r\nHost: a", "200"),
        (b"GET http://[::1]:80?q HTTP/1.1\r\nHost:", "200"),
        (b"GET http://b/x HTTP/1.0", "200"),
        (b"GET http:/// HTTP/1.1\r\nHost: a", BAD),
        (b"GET http://u@b/ HTTP/1.1\r\nHost: b", BAD),
        (b"OPTIONS * HTTP/1.1", BAD),
        (b"OPTIONS * HTTP/1.1\r\nHost: a", "200"),
        (b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c", BAD),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c", "200"),
    ],
)
def test_exactly_one_host_field_is_required(head: bytes, expected: str) -> None:
    """HTTP/1.1 needs exactly one Host field, also with an absolute target; HTTP/1.0 needs none."""
    assert status(head + b"\r\n\r\n") == expected


def test_requests_before_a_refused_one_are_served() -> None:
    """In a pipeline the refused request ends the parsing, and the requests before it are still answered."""
    parser = parsed(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert [request.target for request in parser.requests] == ["/1"]
    assert parser.refused is not None
    assert parser.refused.status == BAD
