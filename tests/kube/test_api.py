"""The client of the API: trust, credentials and deadlines."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from gevent.server import StreamServer
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError, SSLError

from smoker_common.service import ConfigurationError
from smoker_kube.api import Api, Refused, TooLarge, lines
from smoker_kube.standing import Answering, standing_of
from tests.conftest import eventually

from .fake_api import Fake, answer, cut, event, faking, hold, page, watch

PATH = "/apis/x/things"
SECRET = "secret-of-the-account"


@pytest.fixture
def fake() -> Iterator[Fake]:
    """`fake(*script)` returns an API that follows the script."""
    with faking() as one:
        yield one


class Cluster(NamedTuple):
    """The files of a CA and of a server's certificate by it."""

    ca: Path
    context: ssl.SSLContext


def openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def cluster(folder: Path, name: str, san: str = "IP:127.0.0.1") -> Cluster:
    """A CA, and a certificate by it for `san`."""
    ca, ca_key, crt, key = (folder / f"{name}-{part}" for part in ("ca.crt", "ca.key", "tls.crt", "tls.key"))
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    openssl(*new, "-subj", f"/CN={name}", "-keyout", ca_key, "-out", ca)
    san_of = ("-addext", f"subjectAltName={san}", "-addext", "basicConstraints=critical,CA:FALSE")
    openssl(*new, "-subj", "/CN=api", *san_of, "-CA", ca, "-CAkey", ca_key, "-keyout", key, "-out", crt)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    return Cluster(ca, context)


@pytest.fixture(scope="session")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cluster]:
    """Two clusters, and a server of the first one by another name."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    folder = tmp_path_factory.mktemp("pki")
    return {
        "mine": cluster(folder, "mine"),
        "other": cluster(folder, "other"),
        "elsewhere": cluster(folder, "elsewhere", "IP:127.9.9.9"),
    }


@contextlib.contextmanager
def greeting(data: bytes) -> Iterator[int]:
    """Listen on the yielded port, and send `data` to each client."""

    def greet(sock: socket.socket, _address: object) -> None:
        with sock:
            sock.sendall(data)
            while sock.recv(1000):
                pass

    server = StreamServer(("127.0.0.1", 0), greet)
    server.start()
    try:
        yield int(server.address[1])
    finally:
        server.stop()


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(f"{SECRET}\n")
    return file


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("10.0.0.1", "443", "https://10.0.0.1:443"),
        ("fd00::1", "6443", "https://[fd00::1]:6443"),
        ("[fd00::1]", "6443", "https://[fd00::1]:6443"),
    ],
)
def test_the_environment_names_the_api_server(host: str, port: str, url: str) -> None:
    """The address comes from the kubelet's two variables; an IPv6 address gets its brackets."""
    assert Api.in_cluster({"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port})._url == url


def test_outside_of_a_cluster() -> None:
    """Without the variable there is no API, and the error says which one is missing."""
    with pytest.raises(ConfigurationError, match="KUBERNETES_SERVICE_HOST is not set"):
        Api.in_cluster({})


@pytest.mark.parametrize(("host", "port"), [("https://api", "443"), ("10.0.0", "443"), ("10.0.0.1", "https")])
def test_an_invalid_api_server_address_is_refused(host: str, port: str) -> None:
    """An invalid host or port is refused at once, and the error names the two variables."""
    with pytest.raises(
        ConfigurationError, match=r"^KUBERNETES_SERVICE_HOST=.* and KUBERNETES_SERVICE_PORT=.*: one of them is"
    ):
        Api.in_cluster({"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port})


def test_the_token_is_read_for_each_request(fake: Fake, token: Path) -> None:
    """A renewed token is used by the next request."""
    server = fake(page(), page())
    api = Api(server.url, token=token)
    api.get(PATH)
    token.write_text("renewed")
    api.get(PATH)
    assert [r.headers["authorization"] for r in server.requests] == [f"Bearer {SECRET}", "Bearer renewed"]


@pytest.mark.parametrize("content", ["", "\n", f"{SECRET} two", f"{SECRET}\r\nHost: elsewhere", f"{SECRET}\u20ac"])
def test_an_invalid_token_is_never_shown(fake: Fake, token: Path, content: str) -> None:
    """With half a token, or several lines, nothing is sent, and the error names only the file."""
    server = fake()
    token.write_text(content, encoding="utf-8")
    with pytest.raises(OSError, match="it contains no token") as caught:
        Api(server.url, token=token).get(PATH)
    assert SECRET not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert server.requests == []


def test_an_answer_that_is_not_what_was_asked_for(fake: Fake, token: Path) -> None:
    """The error has the status and the requested pause, and nothing of what was sent."""
    api = Api(fake(answer(429, {"message": "later"}, retry_after=7), answer(503, retry_after="²")).url, token=token)
    with pytest.raises(Refused) as caught:
        api.get(PATH)
    assert (caught.value.status, caught.value.wait) == (429, 7.0)
    assert SECRET not in repr(caught.value)
    with pytest.raises(Refused) as caught:
        api.watch(PATH)
    assert (caught.value.status, caught.value.wait) == (503, None)


def test_redirects_are_not_followed(fake: Fake, token: Path) -> None:
    """A redirect is not followed, because its target would receive the token."""
    other = fake()
    with pytest.raises(Refused, match="302"):
        Api(fake(answer(302, location=other.url)).url, token=token).get(PATH)
    assert other.requests == []


def test_a_proxy_is_not_asked(fake: Fake, token: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The API is in the cluster, so proxy variables of an image are ignored."""
    proxy, server = fake(), fake(page())
    for variable in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, proxy.url)
    Api(server.url, token=token).get(PATH)
    assert (len(server.requests), proxy.requests) == (1, [])


def test_a_silent_api_server_ends_with_the_deadline(fake: Fake, token: Path) -> None:
    """A server that takes a list or watch request and sends nothing is given up."""
    api = Api(fake(hold, hold).url, token=token, read=0.1, silence=0.1)
    with pytest.raises(ReadTimeoutError):
        api.get(PATH)
    with pytest.raises(ReadTimeoutError):
        api.watch(PATH)


def test_a_closed_connection_is_an_error(fake: Fake, token: Path) -> None:
    """A FIN instead of an answer is an error, and the next request opens a new connection."""
    api = Api(fake(cut, page(version="7")).url, token=token)
    with pytest.raises(ProtocolError):
        api.get(PATH)
    assert api.get(PATH)["metadata"]["resourceVersion"] == "7"


@pytest.mark.parametrize("pieces", [0, 1, 7])
def test_lines_are_whole_in_any_pieces(fake: Fake, token: Path, pieces: int) -> None:
    """Several lines in one piece and one line in several pieces are read whole. An unfinished one is dropped."""
    script = watch(b'{"a":1}\n\n{"b"', b":2}\n", b'{"half', end="end", pieces=pieces)
    assert list(lines(Api(fake(script).url, token=token).watch(PATH))) == [b'{"a":1}', b'{"b":2}']


def test_lines_may_be_long(fake: Fake, token: Path) -> None:
    """A slice of a megabyte is one line."""
    large = event("ADDED", "large", "2", filling="x" * 1_000_000)
    got = list(lines(Api(fake(watch(large, end="end")).url, token=token).watch(PATH)))
    assert [len(line) > 1_000_000 for line in got] == [True]


def test_an_endless_line_is_an_error(fake: Fake, token: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line without end does not fill the memory."""
    monkeypatch.setattr("smoker_kube.api.LONGEST_LINE", 1000)
    with pytest.raises(ValueError, match="a line that does not end"):
        list(lines(Api(fake(watch(b"x" * 2000)).url, token=token).watch(PATH)))


@pytest.mark.parametrize("end", ["cut", "hold"])
def test_a_truncated_line_is_dropped(fake: Fake, token: Path, end: str) -> None:
    """Lines that were complete before a close or a silence are read; the next watch gets the rest."""
    answered = Api(fake(watch(b'{"a":1}\n{"b', end=end)).url, token=token, silence=0.2).watch(PATH)
    assert list(lines(answered)) == [b'{"a":1}']


def test_a_node_that_is_cut_off_learns_it(fake: Fake, token: Path) -> None:
    """The kernel's keep-alive finds a dead connection within half a minute."""
    answered = Api(fake(watch()).url, token=token).watch(PATH)
    sock = answered._connection.sock  # type: ignore[attr-defined]
    asked = [socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT]
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert [sock.getsockopt(socket.IPPROTO_TCP, option) for option in asked] == [10, 5, 3, 25_000]
    answered.close()


def test_tls_by_the_clusters_ca(fake: Fake, token: Path, clusters: dict[str, Cluster]) -> None:
    """The cluster's CA is trusted, and the token is sent over TLS."""
    server = fake(page(version="7"), context=clusters["mine"].context)
    assert Api(server.url, token=token, ca=clusters["mine"].ca).get(PATH)["metadata"]["resourceVersion"] == "7"
    assert server.requests[0].headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(("serves", "trusted"), [("mine", "other"), ("elsewhere", "elsewhere")])
def test_a_certificate_of_another_ca_is_refused(
    fake: Fake, token: Path, clusters: dict[str, Cluster], serves: str, trusted: str
) -> None:
    """A certificate of another CA or for another address is refused before the token is sent."""
    server = fake(page(), context=clusters[serves].context)
    with pytest.raises(SSLError, match="certificate verify failed") as caught:  # it answers, and is not silent
        Api(server.url, token=token, ca=clusters[trusted].ca).get(PATH)
    assert isinstance(caught.value, HTTPError)
    assert standing_of(caught.value).answering is Answering.UNTRUSTED
    assert SECRET not in repr(caught.value)
    eventually("the connection is over", lambda: server.open == 0)
    assert server.requests == []


def test_a_server_without_tls_is_an_error(token: Path, clusters: dict[str, Cluster]) -> None:
    """An answer in plain text where TLS is expected is not silence."""
    with greeting(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port, pytest.raises(HTTPError) as caught:
        Api(f"https://127.0.0.1:{port}", token=token, ca=clusters["mine"].ca).get(PATH)
    assert standing_of(caught.value).answering is Answering.UNTRUSTED


def test_a_server_without_http_is_an_error(fake: Fake, token: Path) -> None:
    """An answer of another protocol is not silence either."""
    server = fake(lambda sock: bool(sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")))
    with pytest.raises(HTTPError) as caught:
        Api(server.url, token=token).get(PATH)
    assert standing_of(caught.value).answering is Answering.UNREADABLE


@pytest.mark.parametrize("size", [1000, 999])
def test_the_size_of_an_answer_is_bounded(fake: Fake, token: Path, size: int) -> None:
    """An answer that is larger than allowed is given up, and the next request has a new connection."""
    large = answer(200, b'"' + b"x" * 998 + b'"')
    api = Api(fake(large, page(version="7")).url, token=token)
    if size < 1000:
        with pytest.raises(TooLarge, match="an answer of more than 999 bytes"):
            api.get(PATH, size)
    else:
        assert api.get(PATH, size) == "x" * 998
    assert api.get(PATH)["metadata"]["resourceVersion"] == "7"


def test_a_ca_that_is_renewed(fake: Fake, token: Path, tmp_path: Path, clusters: dict[str, Cluster]) -> None:
    """The file is checked for each request: a new CA is trusted, and its predecessor no longer."""
    mine, other = clusters["mine"], clusters["other"]
    ca = tmp_path / "ca.crt"
    ca.write_bytes(other.ca.read_bytes())
    server = fake(page(), page(), context=mine.context)
    api = Api(server.url, token=token, ca=ca)
    with pytest.raises(SSLError):
        api.get(PATH)
    ca.write_bytes(mine.ca.read_bytes())
    api.get(PATH)
    ca.write_bytes(other.ca.read_bytes())
    with pytest.raises(SSLError):
        api.get(PATH)


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_without_a_ca_no_server_is_trusted(fake: Fake, token: Path, tmp_path: Path, content: str | None) -> None:
    """Without the CA file no certificate is trusted, not even one of the system; the error names the file."""
    ca = tmp_path / "ca.crt"
    if content is not None:
        ca.write_text(content)
    with pytest.raises(OSError, match=r"ca\.crt: (it contains no certificate|No such file)"):
        Api("https://127.0.0.1:1", token=token, ca=ca).get(PATH)
