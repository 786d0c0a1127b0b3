"""From exceptions to an `Outcome`."""

from __future__ import annotations

import errno
import http.client
import os
import resource
import socket
import ssl
from collections.abc import Iterator

import pytest
from urllib3.exceptions import ConnectTimeoutError, HTTPError, InvalidHeader, NewConnectionError, ProtocolError

from smoker_outcome.failure import BadReply, ResolveError, in_a_sentence, outcome_of, reason
from smoker_prober.network.deadline import DeadlineExceeded
from smoker_prober.probes.base import Attempt, Probe, run
from smoker_prober.result import Outcome
from smoker_prober.target import Target, service_path
from tests.prober.targets import HOST, NODE, PLENTY, probe

BY_ERRNO = {
    errno.ETIMEDOUT: "timeout",
    errno.ECONNREFUSED: "refused",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.ENETDOWN: "unreachable",
    errno.EHOSTDOWN: "unreachable",
    errno.EACCES: "unreachable",
    errno.EPROTO: "unreachable",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ECONNABORTED: "reset",
    errno.EPERM: "unreachable",
    errno.ENONET: "unreachable",
    errno.ENOPROTOOPT: "unreachable",
    errno.EMFILE: "local_error",
    errno.ENFILE: "local_error",
    errno.ENOBUFS: "local_error",
    errno.ENOMEM: "local_error",
    errno.EADDRNOTAVAIL: "local_error",
    errno.EINVAL: "local_error",
    errno.EBADF: "local_error",
}


def caused(error: HTTPError, cause: Exception) -> HTTPError:
    """Return `error` as urllib3 raises it: from `cause`."""
    error.__cause__ = cause
    return error


REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
RESET = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
OTHERS = [
    (DeadlineExceeded("no answer within 5 s"), "wait", "timeout"),
    (DeadlineExceeded("no answer within 5 s"), "connect", "timeout"),
    (DeadlineExceeded("no answer within 5 s"), "resolve", "resolve_error"),
    (TimeoutError("timed out"), "wait", "timeout"),
    (ResolveError("echo: name or service not known"), "resolve", "resolve_error"),
    (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "connect", "resolve_error"),
    (ssl.SSLError(1, "wrong version number"), "tls", "tls_error"),
    (ssl.SSLCertVerificationError(1, "certificate has expired"), "tls", "tls_error"),
    (BadReply("got b'PONG' for b'PING'"), "wait", "bad_reply"),
    (http.client.BadStatusLine("SSH-2.0"), "wait", "bad_reply"),
    (http.client.RemoteDisconnected("Remote end closed connection without response"), "wait", "bad_reply"),
    (http.client.IncompleteRead(b"OK", 8), "transfer", "bad_reply"),
    (InvalidHeader("two lengths"), "wait", "bad_reply"),
    (ProtocolError("Connection broken", RESET), "transfer", "reset"),
    (caused(ProtocolError("Connection broken"), RESET), "transfer", "reset"),
    (ProtocolError("Connection broken", http.client.IncompleteRead(b"", 2)), "transfer", "bad_reply"),
    (caused(HTTPError("no connection"), REFUSED), "connect", "refused"),
    (caused(HTTPError("too late"), TimeoutError(errno.ETIMEDOUT, "Connection timed out")), "connect", "timeout"),
    (OSError("no interface with this name"), "resolve", "local_error"),
    (ValueError("a defect"), "wait", "local_error"),
    (MemoryError(), "wait", "local_error"),
]


@pytest.mark.parametrize(("number", "outcome"), BY_ERRNO.items(), ids=lambda value: errno.errorcode.get(value, value))
def test_errno_decides_the_outcome(number: int, outcome: str) -> None:
    """Each errno has its outcome, bare or wrapped by urllib3. One that does not concern the network is ours."""
    error = OSError(number, os.strerror(number))
    assert outcome_of(error, "connect") == outcome
    assert outcome_of(caused(HTTPError("wrapped"), error), "connect") == outcome


@pytest.mark.parametrize(("error", "phase", "outcome"), OTHERS, ids=lambda value: str(value).split(":", maxsplit=1)[0])
def test_other_errors_are_classified(error: Exception, phase: str, outcome: str) -> None:
    """The resolver's, TLS's, HTTP's and our own errors have their outcomes too."""
    assert outcome_of(error, phase) == outcome


def test_every_outcome_is_reachable() -> None:
    """Every outcome of the enum has an error above that leads to it, except that of large packets."""
    assert {*BY_ERRNO.values(), *(outcome for _, _, outcome in OTHERS)} == set(Outcome) - {Outcome.SUCCESS, Outcome.MTU}


def test_every_urllib3_error_is_classified() -> None:
    """Both exceptions for a failed connection carry the kernel's error as their cause."""
    for wrapper in (NewConnectionError, ConnectTimeoutError):
        assert issubclass(wrapper, HTTPError)


@pytest.mark.parametrize(
    ("error", "phase", "text"),
    [
        (REFUSED, "connect", "connect: connection refused"),
        (caused(HTTPError("long and winding"), REFUSED), "connect", "connect: connection refused"),
        (REFUSED, "", "Connection refused"),
        (ValueError(), "wait", "wait: ValueError"),
        (OSError("no interface with this name"), "resolve", "resolve: no interface with this name"),
        (http.client.IncompleteRead(b"OK", 8), "transfer", "transfer: the body ended early"),
        (
            http.client.BadStatusLine("\x1b[2J" + "x" * 99),
            "wait",
            r"wait: no status line of HTTP/1: '\x1b[2Jxxxxxxxxxxxxxxxxxxxxxxxxxxxx'",
        ),
    ],
)
def test_the_reason_is_a_short_sentence_part(error: Exception, phase: str, text: str) -> None:
    """The reason has phase and cause in lower case, without wrapping layers and without a peer's raw bytes."""
    assert reason(error, phase) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Connection refused", "connection refused"),
        ("DNS is down", "DNS is down"),
        ("Content-Length is wrong", "Content-Length is wrong"),
        ("ValueError", "ValueError"),
        ("", ""),
    ],
)
def test_a_capital_is_lowered_unless_it_starts_a_name(text: str, shown: str) -> None:
    """The kernel's sentences follow a colon here, so their capital becomes lower case unless it begins a name."""
    assert in_a_sentence(text) == shown


def test_a_reason_is_printable() -> None:
    """A reason holds no control character that a server sent: it goes into states, lines and the hub's page."""
    assert reason(BadReply("a header 'x\x1b[31m\r\n'"), "wait") == "wait: a header 'x?[31m??'"


def test_an_unexpected_exception_is_a_result_and_is_logged(records: list[str]) -> None:
    """An unexpected exception of a probe is `local_error` with a stack trace in the log. It does not end the prober."""

    def defective(_attempt: Attempt) -> None:
        raise ZeroDivisionError("oh no")

    result = run(Probe(defective, "tcp", "a defect"), Target("tcp", HOST, 80, service_path(HOST, 80)), NODE, PLENTY)
    assert (result.outcome, result.error) == (Outcome.LOCAL_ERROR, "oh no")
    assert [line.split(" {")[0] for line in records] == ["ERROR a probe raised an unexpected error"]


@pytest.fixture
def _no_descriptors() -> Iterator[None]:
    """Leave this process no descriptor."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe("tcp", 1)  # what opens descriptors once has done so
    with socket.socket() as lowest:
        free = lowest.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_no_descriptors")
@pytest.mark.parametrize("kind", ["tcp", "udp", "http"])
def test_a_local_shortage_is_a_local_error(kind: str, records: list[str]) -> None:
    """Without a descriptor there is no probe: `local_error`, neither a defect nor an error of the resolver."""
    result = probe(kind, 8080)
    assert result.outcome is Outcome.LOCAL_ERROR
    assert result.error.removeprefix("connect: ").removeprefix("send: ").lower() == "too many open files"
    assert records == []
