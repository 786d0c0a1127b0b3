"""The bench's load generator tells a good echo from a bad one; what it prints is what the tables are made of."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from . import load, table
from .build import build_load
from .load import Load, Shape

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="the load generator needs a C compiler")

Change = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def program() -> Path:
    """The load generator, built."""
    return build_load()


def unchanged(data: bytes) -> bytes:
    """The echo as it should be."""
    return data


def corrupt(data: bytes) -> bytes:
    """One bit of the last byte flipped."""
    return data[:-1] + bytes([data[-1] ^ 1])


def http_ok(data: bytes) -> bytes:
    """An answer to each request in `data`."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nOK\n" * data.count(b"\r\n\r\n")


def http_bad_gateway(_: bytes) -> bytes:
    """Well formed, and not what was asked for."""
    return b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def tcp_server(change: Change) -> Iterator[int]:
    """A TCP server that answers what it reads, changed; yields its port."""

    def serve(client: socket.socket) -> None:
        with client:
            try:
                while data := client.recv(65536):
                    client.sendall(change(data))
            except OSError:
                pass  # the generator leaves a connection at the first wrong byte

    def accept() -> None:
        while True:
            client = listener.accept()[0]
            if done.is_set():
                client.close()
                return
            threads.append(threading.Thread(target=serve, args=(client,)))
            threads[-1].start()

    done = threading.Event()
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        port = listener.getsockname()[1]
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield port
        finally:
            done.set()
            socket.create_connection(("127.0.0.1", port)).close()  # wakes accept
            for thread in [acceptor, *threads]:
                thread.join(10)


@contextmanager
def udp_server(change: Callable[[int, bytes], bytes]) -> Iterator[int]:
    """A UDP server that answers a datagram, given its number and content; empty: no answer. Yields its port."""

    def serve() -> None:
        number = 0
        while True:
            data, client = server.recvfrom(65536)
            if not data:
                return
            number += 1
            if answer := change(number, data):
                server.sendto(answer, client)

    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            with socket.socket(type=socket.SOCK_DGRAM) as waker:
                waker.sendto(b"", server.getsockname())
            thread.join(10)


def run(program: Path, shape: Shape, port: int, seconds: float = 0.3) -> Load:
    """A run whose errors are of interest."""
    line = load.command(program, shape, port, seconds)
    done = subprocess.run(line, capture_output=True, text=True, timeout=30, check=True)
    return load.parse(done.stdout)


EVERY_TCP_MODE = pytest.mark.parametrize(
    "shape",
    [Shape("tcp-fresh", 4, 4), Shape("tcp-kept", 4, 1000), Shape("tcp-bulk", 2, 16384), Shape("tcp-idle", 5, 4)],
)


@EVERY_TCP_MODE
def test_an_honest_tcp_echo_has_no_errors(program: Path, shape: Shape) -> None:
    """Against a correct echo every TCP mode counts operations, no errors, and ends in time."""
    with tcp_server(unchanged) as port:
        result = run(program, shape, port)
    assert result.operations > 0
    assert (result.errors, result.first_error) == (0, "")
    assert 0.3 <= result.seconds < 2


@EVERY_TCP_MODE
def test_a_corrupt_tcp_echo_is_an_error(program: Path, shape: Shape) -> None:
    """An echo with one bit flipped is counted as an error in every TCP mode, never as an operation."""
    with tcp_server(corrupt) as port:
        result = run(program, shape, port)
    assert result.errors > 0
    assert result.first_error == "the answer is not what was sent"
    if shape.mode != "tcp-bulk":  # whose first operations precede the flipped bit
        assert result.operations == 0


def test_an_honest_udp_echo_has_no_errors(program: Path) -> None:
    """Against a UDP echo that is right there are operations, and neither errors nor losses."""
    with udp_server(lambda _, data: data) as port:
        result = run(program, Shape("udp", 4, 64), port)
    assert result.operations > 0
    assert (result.errors, result.lost) == (0, 0)


def test_a_corrupt_udp_echo_is_an_error(program: Path) -> None:
    """A datagram with one bit flipped is an error; so is one whose number was never sent."""
    for change in (corrupt, lambda data: bytes([data[0] ^ 1]) + data[1:]):
        with udp_server(lambda _, data, change=change: change(data)) as port:  # type: ignore[misc]
            result = run(program, Shape("udp", 4, 64), port)
        assert result.errors > 0
        assert result.operations == 0


def test_a_lost_datagram_is_counted_and_sent_again(program: Path) -> None:
    """A datagram without an answer is counted as lost after 200 ms, no error, and the socket goes on."""
    with udp_server(lambda number, data: b"" if number == 10 else data) as port:
        result = run(program, Shape("udp", 1, 64), port, 0.6)
    assert (result.lost, result.errors) == (1, 0)
    assert result.operations > 10


def test_http_answers_are_read_by_their_content_length(program: Path) -> None:
    """A keep-alive answer `OK` is an operation; the next request uses the same connection."""
    with tcp_server(http_ok) as port:
        result = run(program, Shape("http", 4), port)
    assert result.operations > 4
    assert result.errors == 0


@pytest.mark.parametrize("shape", [Shape("http", 2), Shape("http-post", 2, 100)])
def test_a_wrong_http_answer_is_an_error(program: Path, shape: Shape) -> None:
    """Another status than 200 is an error, for GET and for POST."""
    with tcp_server(http_bad_gateway) as port:
        result = run(program, shape, port)
    assert result.errors > 0
    assert result.operations == 0


def test_a_post_answered_with_another_body_is_an_error(program: Path) -> None:
    """POST wants its own body back, not merely a 200."""
    with tcp_server(http_ok) as port:
        result = run(program, Shape("http-post", 2, 100), port)
    assert result.errors > 0
    assert result.operations == 0


def test_a_server_that_is_not_there_is_an_error(program: Path) -> None:
    """Where nobody listens the run ends early, with errors and their cause."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = run(program, Shape("tcp-kept", 2, 64), port)
    assert result.errors > 0
    assert result.first_error == "Connection refused"


@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "example.org", "::1", "1127.0.0.1"])
def test_an_address_beyond_loopback_is_refused(program: Path, host: str) -> None:
    """The generator sends nothing to any address outside 127.0.0.0/8, and says so."""
    line = [str(program), "tcp-fresh", host, "9", "1", "0.1", "4"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 2
    assert "is not an address of the loopback" in done.stderr


def test_a_ratio_is_the_median_of_the_pairs() -> None:
    """Each round is divided by the round beside it, not the sums: a slow minute slows both of a pair."""
    assert table.ratio([(1, 2), (30, 40), (8, 10)]) == "0.75 (0.50-0.80)"


def test_a_goal_says_whether_it_is_met() -> None:
    """The value itself counts as met."""
    assert table.at_least(0.85, 0.85) == "≥ 0.85 met"
    assert table.at_most(32.1, 32, " MiB") == "≤ 32 MiB missed"
