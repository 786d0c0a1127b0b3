"""The HTTP server with clients that are wrong, slow or gone."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event

from smoker_common.http import HttpServer
from smoker_common.http_handler import Handler
from smoker_common.http_request import MAX_HEAD
from smoker_common.listen import tcp_listener
from tests.conftest import eventually, serving

Serve = Callable[..., "Served"]


class Served:
    """A server that answers `hello`, echoes at /echo and fails at /fail, and the calls of its observer."""

    def __init__(self, **options: Any) -> None:
        self.seen: list[dict[str, Any]] = []
        self.more = Event()  # after which the second part of /parts comes
        self.server = HttpServer(tcp_listener("127.0.0.1", 0), self._answer, observer=self._observe, **options)
        self.server.start()
        self.port = self.server.server_port

    def _observe(self, handler: Handler) -> None:
        self.seen.append(handler.summary | {"error": handler.error})

    def _answer(self, env: dict[str, Any], start: Any) -> Iterable[bytes]:
        if env["PATH_INFO"] == "/parts":
            start("200 OK", [])
            return self._parts()
        if env["PATH_INFO"] == "/fail":
            raise ValueError("a defect")
        body = env["wsgi.input"].read(10**6) if env["PATH_INFO"] == "/echo" else b"hello"
        start("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    def _parts(self) -> Iterator[bytes]:
        yield b"one"
        self.more.wait()
        yield b"two"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def ask(self, request: bytes) -> bytes:
        """Return everything that comes back until the server closes."""
        with self.connect() as sock:
            sock.sendall(request)
            return b"".join(iter(lambda: sock.recv(65536), b""))

    def stop(self) -> None:
        self.server.close()
        self.server.drain(0)


serve = serving(Served)


def test_headers_and_body_leave_in_one_segment(serve: Serve) -> None:
    """One read returns a whole short answer: two segments would cost 40 ms with Nagle and a delayed ACK."""
    with serve().connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(65536).endswith(b"\r\n\r\nhello")


def test_an_answer_without_a_length_comes_in_chunks(serve: Serve) -> None:
    """Each part is a chunk, and arrives before the next one is made (RFC 9112 section 7.1)."""
    served = serve()
    with served.connect() as sock:
        sock.sendall(b"GET /parts HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = b""
        while not got.endswith(b"3\r\none\r\n"):
            got += sock.recv(65536)
        assert b"Transfer-Encoding: chunked" in got
        served.more.set()
        rest = b"".join(iter(lambda: sock.recv(65536), b""))
        assert rest == b"3\r\ntwo\r\n0\r\n\r\n"


def test_a_connection_whose_answer_ends_after_the_stop_ends_too(serve: Serve) -> None:
    """A connection is closed after an answer that ends after the stop.

    Its headers were sent before the stop and do not say so.
    """
    served = serve()
    with served.connect() as sock:
        sock.sendall(b"GET /parts HTTP/1.1\r\nHost: x\r\n\r\n")
        while b"one" not in sock.recv(65536):
            pass
        served.server.close()
        served.more.set()
        assert served.server.drain(10.0) == 0


def test_keep_alive_and_pipelining(serve: Serve) -> None:
    """Three requests in one segment are answered in order on one connection, which the last may close."""
    served = serve()
    answer = served.ask(
        b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % i for i in (1, 2))
        + b"GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.count(b"Connection: close") == 1
    assert [request["path"] for request in served.seen] == ["/1", "/2", "/3"]


def test_http_1_0_closes(serve: Serve) -> None:
    """A client of HTTP/1.0 is answered, and its connection is closed."""
    assert b"200 OK" in serve().ask(b"GET / HTTP/1.0\r\n\r\n")


@pytest.mark.parametrize(
    "request_head",
    [
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"garbage\r\n\r\n",
    ],
)
def test_request_smuggling_and_malformed_http_are_refused(serve: Serve, request_head: bytes) -> None:
    """The request gets a 400, the connection is closed, and the observer gets the reason."""
    served = serve()
    assert served.ask(request_head).startswith(b"HTTP/1.1 400 ")
    assert served.seen[0]["status"] == 400
    assert served.seen[0]["error"]


def test_an_unknown_method_is_405_with_allow(serve: Serve) -> None:
    """A method that the parser does not know is still a method and gets a 405."""
    answer = serve(allow="GET, HEAD, POST").ask(b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nAllow: GET, HEAD, POST\r\n" in answer


def test_headers_have_a_limit(serve: Serve) -> None:
    """Too many or too long headers are answered with 431."""
    served = serve()
    many = b"".join(b"X-%d: y\r\n" % i for i in range(MAX_HEAD // 8))
    endless = b"X: " + b"y" * 3 * MAX_HEAD
    for head in (b"X: " + b"y" * MAX_HEAD + b"\r\n", many, endless):
        assert served.ask(b"GET / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n").startswith(b"HTTP/1.1 431 ")


def test_trailers_do_not_become_headers(serve: Serve) -> None:
    """Trailers after the last chunk are dropped."""
    body = b"5\r\nhello\r\n0\r\nX-Late: 1\r\n\r\n"
    answer = serve().ask(
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + body
    )
    assert answer.endswith(b"\r\n\r\nhello")


def test_a_bad_chunk_is_400(serve: Serve) -> None:
    """A broken body is the client's fault and gets a 400."""
    answer = serve().ask(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_body_of_tiny_chunks_is_400(serve: Serve) -> None:
    """Chunks of one byte with long extensions, and endless trailers, are refused and not read for ever."""
    served = serve()
    served.server.application = _read_to_the_end
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    for framing in (b"1;an-extension-that-goes-on\r\nx\r\n" * 2000, b"0\r\n" + b"X-More: 1\r\n" * 4000):
        assert served.ask(head + framing).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"]
)
def test_an_offer_to_upgrade_is_ignored(serve: Serve, framing: bytes) -> None:
    """A request with an Upgrade is answered once, as if without it, body included (RFC 9110 section 7.8)."""
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n"
    answer = serve().ask(head + framing)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.endswith(b"\r\n\r\nhello")


def test_what_follows_an_upgrade_is_the_next_request(serve: Serve) -> None:
    """After an Upgrade the next request of the pipeline is answered."""
    offer = b"GET /1 HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    served = serve()
    answer = served.ask(offer + offer + b"GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert [seen["path"] for seen in served.seen] == ["/1", "/1", "/3"]


def test_connect_is_refused_once(serve: Serve) -> None:
    """CONNECT gets one 405."""
    answer = serve().ask(b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\nxx")
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_an_incomplete_request_does_not_inherit_a_status(serve: Serve) -> None:
    """Half a header after a good request is reported with status 0."""
    served = serve()
    with served.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(65536)
        sock.sendall(b"GET / HT")
    eventually("it is told", lambda: len(served.seen) == 2)
    assert (served.seen[1]["status"], served.seen[1]["sent"]) == (0, 0)


def test_slow_headers_are_cut_and_delay_no_other_client(serve: Serve) -> None:
    """A client that never ends its headers is disconnected after the timeout, and others are served meanwhile."""
    served = serve(timeout=0.3)
    with served.connect() as slow:

        def drip() -> None:
            try:
                for byte in b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 10_000:
                    slow.sendall(bytes([byte]))
                    gevent.sleep(0.02)
            except OSError:
                pass

        dripping = gevent.spawn(drip)
        assert b"hello" in served.ask(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        eventually("the slow client is cut", lambda: any("too slow" in seen["error"] for seen in served.seen))
        dripping.join(10)
        assert dripping.dead


def test_a_slow_body_is_cut(serve: Serve) -> None:
    """The deadline moves with each block of a body, not with each byte."""
    served = serve(timeout=0.3)
    with served.connect() as slow:
        slow.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")

        def drip() -> None:
            try:
                for _ in range(10_000):
                    slow.sendall(b"1\r\n")
                    gevent.sleep(0.02)
            except OSError:
                pass

        served.server.application = _read_to_the_end
        gevent.spawn(drip)
        eventually("the slow client is cut", lambda: any(seen["error"] for seen in served.seen))


def _read_to_the_end(env: dict[str, Any], start: Any) -> list[bytes]:
    while env["wsgi.input"].read():
        pass
    start("200 OK", [])
    return [b""]


def test_a_client_that_reads_nothing_is_cut(serve: Serve) -> None:
    """An answer that the client does not read ends after the timeout."""
    served = serve(timeout=0.3)
    served.server.application = _endless
    with served.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually("the client is cut", lambda: any("too slow" in seen["error"] for seen in served.seen))


def _endless(env: dict[str, Any], start: Any) -> Iterator[bytes]:
    start("200 OK", [])
    while True:
        yield b"x" * 65536


def test_an_idle_connection_is_closed_without_an_answer(serve: Serve) -> None:
    """A keep-alive connection without a further request is closed, and that is no error."""
    served = serve(timeout=0.3)
    with served.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(65536)
        assert sock.recv(65536) == b""
    assert [seen["error"] for seen in served.seen] == [""]


def test_a_client_that_leaves_is_an_error_with_a_cause(serve: Serve) -> None:
    """The error about half a request or half a body names what is missing."""
    served = serve()
    for request in (b"GET / HT", b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"):
        with served.connect() as sock:
            sock.sendall(request)
    eventually("both are told", lambda: len(served.seen) == 2)
    assert {seen["error"] for seen in served.seen} == {
        "the client closed the connection inside the headers",
        "the client closed the connection inside the body",
    }


def test_expect_100_continue(serve: Serve) -> None:
    """A client that waits for permission to send its body gets it when the application reads the body."""
    with serve().connect() as sock:
        sock.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"ok")
        assert sock.recv(65536).endswith(b"\r\n\r\nok")


def test_a_refused_body_does_not_destroy_the_answer(serve: Serve) -> None:
    """A client that sends 4 MiB which nobody reads still gets the answer: no reset follows it."""
    answer = serve().ask(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4194304\r\n\r\n" + b"x" * 4194304)
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"hello")


def test_an_unexpected_exception_is_500_and_the_server_continues(serve: Serve) -> None:
    """An exception of the application ends only its own request."""
    served = serve()
    assert served.ask(b"GET /fail HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 500 ")
    assert b"hello" in served.ask(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert "a defect" in served.seen[0]["error"]


def test_close_ends_idle_connections_and_drain_waits_for_busy_ones(serve: Serve) -> None:
    """On a stop an idle keep-alive connection is closed at once. A request in progress gets its answer and a close."""
    served = serve()
    go = gevent.event.Event()

    def slow(env: dict[str, Any], start: Any) -> list[bytes]:
        go.wait()
        start("200 OK", [("Content-Length", "4")])
        return [b"done"]

    with served.connect() as idle, served.connect() as busy:
        idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(65536)
        served.server.application = slow
        busy.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually("the request is in flight", lambda: sum(not h.idle for h in served.server.connections.each()) == 1)
        served.server.close()
        assert idle.recv(65536) == b""
        drained = gevent.spawn(served.server.drain, 10)
        go.set()
        answer = b"".join(iter(lambda: busy.recv(65536), b""))
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"done")
    assert drained.get(timeout=10) == 0
    with pytest.raises(ConnectionRefusedError):
        served.connect()


def test_drain_cuts_what_does_not_end(serve: Serve) -> None:
    """Requests still in progress after the drain time are cut and counted."""
    served = serve()
    with served.connect() as sock:
        sock.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n")
        eventually("the request is in flight", lambda: any(not h.idle for h in served.server.connections.each()))
        served.server.close()
        assert served.server.drain(0.05) == 1
        assert len(served.server.connections) == 0


def test_environ_keys(serve: Serve) -> None:
    """The environ has CGI names.

    Underscores cannot imitate other headers, repeated headers are joined, and an absolute target works.
    """
    seen: dict[str, Any] = {}

    def look(env: dict[str, Any], start: Any) -> list[bytes]:
        seen.update(env)
        start("200 OK", [])
        return [b""]

    served = serve()
    served.server.application = look
    served.ask(
        b"GET http://x/a%20b?q=1 HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nX-A: 2\r\nContent_Type: evil\r\n"
        b"Content-Type: text/plain\r\nConnection: close\r\n\r\n"
    )
    assert (seen["PATH_INFO"], seen["QUERY_STRING"], seen["HTTP_X_A"]) == ("/a b", "q=1", "1,2")
    assert seen["CONTENT_TYPE"] == "text/plain"
    assert seen["REQUEST_METHOD"] == "GET"
