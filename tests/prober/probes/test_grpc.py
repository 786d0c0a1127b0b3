"""The gRPC probe with grpcio's own health server, in a separate process."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from h2.connection import H2Connection
from hypothesis import given
from hypothesis import strategies as st

from smoker_outcome.failure import BadReply
from smoker_prober.config import targets as externals
from smoker_prober.probes import run
from smoker_prober.probes.grpc import Options, answer, request
from smoker_prober.result import PHASES, Method, Outcome, Result
from smoker_prober.sinks.log import line
from smoker_prober.target import Path as PathTo
from smoker_prober.target import Target
from tests.prober.targets import HOST, NODE, PLENTY, listening

from .http2_server import Headers, page, serving
from .pki import Authority

OUTSIDE = PathTo("external", "shop", "other")


@contextlib.contextmanager
def grpcio(*arguments: str) -> Iterator[tuple[int, int]]:
    """Run a health server; its port, and that of a server without a health service."""
    command = [sys.executable, str(Path(__file__).with_name("health_server.py")), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            port, other = process.stdout.readline().split()
            yield int(port), int(other)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    with grpcio() as found:
        yield found


def ask(port: int, options: Options | None = None) -> Result:
    return run(Target("grpc", HOST, port, OUTSIDE, options), NODE, PLENTY)


@pytest.mark.parametrize(
    ("service", "outcome", "health", "error"),
    [
        ("", Outcome.SUCCESS, "SERVING", ""),
        ("shop", Outcome.SUCCESS, "SERVING", ""),
        ("cart", Outcome.BAD_REPLY, "NOT_SERVING", "transfer: the health is NOT_SERVING"),
        (
            "nothing",
            Outcome.BAD_REPLY,
            "NOT_FOUND",
            "transfer: the server answers NOT_FOUND: it does not know this service",
        ),
    ],
)
def test_the_health_of_a_service(
    ports: tuple[int, int], service: str, outcome: Outcome, health: str, error: str
) -> None:
    """SERVING is a success, and anything else a bad reply that contains it; the RTT is the kernel's."""
    result = ask(ports[0], Options(service=service))
    assert (result.outcome, result.fields["health"], result.error) == (outcome, health, error)
    assert tuple(result.phases) == tuple(phase for phase in PHASES if phase != "tls")
    if outcome.ok:
        assert result.rtt is not None
        assert result.rtt.method is Method.TCP_INFO
    else:
        assert f"FAILED error=bad_reply health={health} target=shop" in line(result, 0.0)


def test_a_server_without_a_health_service(ports: tuple[int, int]) -> None:
    """It is reached, and the result says that it has no health service."""
    result = ask(ports[1])
    assert (result.outcome, result.fields["health"]) == (Outcome.BAD_REPLY, "UNIMPLEMENTED")
    assert result.error == "transfer: the server answers UNIMPLEMENTED: it has no health service"


def test_over_tls(tmp_path: Path) -> None:
    """The certificate is verified for the name of `serverName`, or the host. Only a trusted one's date is known."""
    authority = Authority(tmp_path / "ca")
    ca = str(authority.file)
    with grpcio(str(authority.issue("health", san="DNS:shop.example"))) as (port, _other):
        right = ask(port, Options(tls=True, ca=ca, server_name="shop.example"))
        wrong = ask(port, Options(tls=True, ca=ca))
    assert (right.outcome, right.error, right.fields["health"]) == (Outcome.SUCCESS, "", "SERVING")
    assert tuple(right.phases) == PHASES
    assert "not_after" in right.fields
    assert wrong.outcome is Outcome.TLS_ERROR
    assert "not_after" not in wrong.fields


def test_by_url() -> None:
    """TARGETS names such a target by a URL with its port; grpcs:// is over TLS."""
    plain, secure = externals.parse("a=grpc://h:50051?service=shop,b=grpcs://h:443").values()
    assert (plain.probe, plain.port, plain.options) == ("grpc", 50051, Options(service="shop"))
    assert (secure.port, secure.options) == (443, Options(tls=True))
    for wrong in ("grpc://h", "grpc://h:1/x", "grpc://h:1?color=red"):
        with pytest.raises(ValueError, match=r"grpc://h"):
            externals.parse(wrong)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "an answer of 0 bytes"),
        (b"\x01\x00\x00\x00\x02\x08\x01", "not exactly one uncompressed message"),
        (b"\x00\x00\x00\x00\x09\x08\x01", "not exactly one uncompressed message"),
        (b"\x00\x00\x00\x00\x01\x08", "a truncated message"),
        (b"\x00\x00\x00\x00\x01\x0b", "not a protocol buffers message"),
        (b"\x00\x00\x00\x00\x0c\x08" + b"\xff" * 11, "a number of more than ten bytes"),
    ],
)
def test_messages_that_are_refused(body: bytes, error: str) -> None:
    """Each is a bad reply with its reason."""
    with pytest.raises(BadReply, match=error):
        answer(body)


def test_messages() -> None:
    """The request equals protobuf's, and unknown fields of the answer are skipped."""
    assert request("") == b"\x00\x00\x00\x00\x00"
    assert request("shop") == b"\x00\x00\x00\x00\x06\x0a\x04shop"
    assert request("x" * 150)[5:8] == b"\x0a\x96\x01"
    assert answer(b"\x00\x00\x00\x00\x00") == 0
    assert answer(b"\x00\x00\x00\x00\x0a\x12\x01x\x08\x01\x1d1234") == 1


def test_no_grpc() -> None:
    """A server of HTTP/2 without gRPC is a bad reply."""

    def web(connection: H2Connection, stream: int, got: Headers) -> None:
        page(404, b"")(connection, stream, got)

    with listening(serving(web)) as port:
        missing = ask(port)
    with listening(serving(page(200, b"hello"))) as port:
        silent = ask(port)
    assert (missing.outcome, missing.error) == (
        Outcome.BAD_REPLY,
        "transfer: status 404 for /grpc.health.v1.Health/Check",
    )
    assert (silent.outcome, silent.error) == (Outcome.BAD_REPLY, "transfer: the server answers no status")


@pytest.mark.parametrize("code", ["17", "0019999", "-1", "9" * 5_000])
def test_a_code_that_grpc_does_not_have(code: str) -> None:
    """It is a bad reply as if there were none, however long it is."""

    def refused(connection: H2Connection, stream: int, _got: Headers) -> None:
        connection.send_headers(stream, [(":status", "200"), ("grpc-status", code)], end_stream=True)

    with listening(serving(refused)) as port:
        found = ask(port)
    assert (found.outcome, found.error) == (Outcome.BAD_REPLY, "transfer: the server answers no status")


@given(st.one_of(st.binary(max_size=40), st.binary(max_size=40).map(lambda b: b"\x00" + len(b).to_bytes(4, "big") + b)))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Bytes at random, with a right prefix or not, end in a number or in `BadReply`."""
    with contextlib.suppress(BadReply):
        assert answer(body) >= 0
