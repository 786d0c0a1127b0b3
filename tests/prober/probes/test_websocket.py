"""The WebSocket probe with the server of the library websockets, in a separate process."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smoker_prober.config import targets as externals
from smoker_prober.probes import run
from smoker_prober.probes.websocket import Options
from smoker_prober.result import PHASES, Method, Outcome, Result
from smoker_prober.sinks.log import line
from smoker_prober.target import Path as PathTo
from smoker_prober.target import Target
from tests.prober.targets import ENOUGH, HOST, NODE, PLENTY, Serve, answering, listening, until_closed

from .pki import Authority

OUTSIDE = PathTo("external", "chat", "other")
TEXT = Options(message="text")


@contextlib.contextmanager
def websockets(*arguments: str) -> Iterator[int]:
    """Run the server; its port."""
    command = [sys.executable, str(Path(__file__).with_name("websocket_server.py")), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with websockets() as found:
        yield found


def ask(port: int, options: Options | None = None, timeout: float = PLENTY) -> Result:
    return run(Target("websocket", HOST, port, OUTSIDE, options), NODE, timeout)


@pytest.mark.parametrize(
    "options",
    [Options(), TEXT, Options("/chat"), Options("/chat", message="text")],
    ids=["ping", "text", "/chat", "both"],
)
def test_a_server_that_answers(port: int, options: Options) -> None:
    """A pong or an echoed text is a success, also after other messages; the RTT is the kernel's."""
    result = ask(port, options)
    assert (result.outcome, result.error) == (Outcome.SUCCESS, "")
    assert tuple(result.phases) == tuple(phase for phase in PHASES if phase != "tls")
    assert result.rtt is not None
    assert result.rtt.method is Method.TCP_INFO


def test_the_subprotocol(port: int) -> None:
    """It is in the details. A server without it fails."""
    chosen = ask(port, Options(subprotocol="v2.chat"))
    assert (chosen.outcome, chosen.fields["subprotocol"]) == (Outcome.SUCCESS, "v2.chat")
    other = ask(port, Options(subprotocol="v9"))
    assert (other.outcome, other.fields.get("status")) == (Outcome.BAD_REPLY, 400)


def test_a_server_that_closes(port: int) -> None:
    """The line has the close code, and the error the reason in plain characters."""
    result = ask(port, Options("/close"))
    assert (result.outcome, result.error) == (
        Outcome.BAD_REPLY,
        "transfer: the server closed with code 4001: not? here",
    )
    assert "FAILED error=bad_reply close_code=4001 target=chat" in line(result, 0.0)


def test_a_changed_text_is_a_bad_reply(port: int) -> None:
    """A wrong text is a bad reply that contains it, after a wait until the deadline."""
    result = ask(port, Options("/mirror", message="text"), timeout=ENOUGH)
    assert (result.outcome, result.error) == (
        Outcome.BAD_REPLY,
        "transfer: got a text of 4 characters for 'PING'",
    )


def test_a_flood(port: int) -> None:
    """The probe reads only up to its limit."""
    result = ask(port, Options("/flood", message="text"))
    assert (result.outcome, result.error) == (
        Outcome.BAD_REPLY,
        "transfer: got more than 65536 bytes before the answer",
    )


def test_over_tls(tmp_path: Path) -> None:
    """The certificate is verified for the name of `serverName`, or the host. Only a trusted one's date is known."""
    authority = Authority(tmp_path / "ca")
    with websockets(str(authority.issue("chat", san="DNS:chat.example"))) as port:
        right = ask(port, Options(tls=True, ca=str(authority.file), server_name="chat.example"))
        wrong = ask(port, Options(tls=True, ca=str(authority.file)))
    assert (right.outcome, right.error) == (Outcome.SUCCESS, "")
    assert tuple(right.phases) == PHASES
    assert "not_after" in right.fields
    assert wrong.outcome is Outcome.TLS_ERROR
    assert "not_after" not in wrong.fields


ACCEPT = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: bm90IHRoZSByaWdodCBvbmU=\r\n\r\n"
)


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK",
            200,
            "wait: status 200 instead of 101 for a ",
        ),
        (
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            404,
            "wait: status 404 instead of 101 for a ",
        ),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", None, "wait: no valid WebSocket: "),
        (ACCEPT, None, "wait: no valid WebSocket: "),
        (b"", None, "wait: the connection was closed without a close frame"),
    ],
    ids=["a page", "nothing there", "SSH", "a wrong key", "closed"],
)
def test_no_websocket(answer: bytes, status: int | None, error: str) -> None:
    """A page, another protocol or an accept for another key is a bad reply with its reason."""
    with listening(answering(answer)) as port:
        result = ask(port)
    assert (result.outcome, result.fields.get("status")) == (Outcome.BAD_REPLY, status)
    assert result.error.startswith(error)


def accepting(rest: bytes) -> Serve:
    """Accept the handshake, say `rest`, and close."""

    def serve(sock: socket.socket) -> None:
        request = sock.recv(4096)
        key = next(each for each in request.split(b"\r\n") if each.lower().startswith(b"sec-websocket-key:"))
        token = key.partition(b":")[2].strip() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(token).digest())
        sock.sendall(ACCEPT.replace(b"bm90IHRoZSByaWdodCBvbmU=", accept) + rest)
        sock.shutdown(socket.SHUT_WR)
        until_closed(sock)

    return serve


FRAME = st.builds(lambda first, body: bytes([first, len(body)]) + body, st.integers(0, 255), st.binary(max_size=60))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(st.lists(st.one_of(FRAME, st.binary(max_size=30)), max_size=5), st.sampled_from(["ping", "text"]))
def test_any_frames_end_in_a_result(frames: list[bytes], message: str) -> None:
    """Random frames are a bad reply or an answer: no error of ours, and no endless wait."""
    with listening(accepting(b"".join(frames))) as port:
        result = ask(port, Options(message=message))
    assert result.outcome in (Outcome.BAD_REPLY, Outcome.SUCCESS, Outcome.RESET), result.error


def test_by_url() -> None:
    """TARGETS names such a target by a URL; wss:// is over TLS."""
    plain, secure = externals.parse("a=ws://h/chat?room=1,b=wss://h").values()
    assert (plain.probe, plain.port, plain.options) == ("websocket", 80, Options("/chat?room=1"))
    assert (secure.port, secure.options) == (443, Options(tls=True))
