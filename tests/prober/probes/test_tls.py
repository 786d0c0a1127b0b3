"""The TLS probe with OpenSSL's own server and good and bad certificates."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from smoker_diagnosis.state import PathState
from smoker_prober.config import targets as externals
from smoker_prober.probes import run
from smoker_prober.probes.certificate import LONGEST, Malformed, decode, plain
from smoker_prober.probes.certified import DAY
from smoker_prober.probes.tls import Details, Options
from smoker_prober.result import PHASES, Method, Outcome, Result
from smoker_prober.sinks.log import line
from smoker_prober.sinks.metrics import Metrics
from smoker_prober.store.identity import Identity
from smoker_prober.store.mesh_state import MeshState
from smoker_prober.store.state import States
from smoker_prober.target import Path as PathTo
from smoker_prober.target import Target
from tests.metrics_page import rows
from tests.prober.targets import ENOUGH, HOST, NODE, PLENTY, answering, listening, until_closed

from .pki import Authority, s_server

OUTSIDE = PathTo("external", "api", "other")


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki") / "ca")


@pytest.fixture(scope="module")
def good(ca: Authority) -> Path:
    return ca.issue("good")


def shake(port: int, options: Options, *, timeout: float = PLENTY) -> Result:
    return run(Target("tls", HOST, port, OUTSIDE, options), NODE, timeout)


def found(result: Result) -> Details:
    assert isinstance(result.details, Details)
    return result.details


def test_a_good_certificate(ca: Authority, good: Path) -> None:
    """It is a success with the kernel's RTT and the data of handshake and certificate."""
    with s_server(good) as port:
        result = shake(port, Options(ca=str(ca.file)))
    assert (result.outcome, result.error) == (Outcome.SUCCESS, "")
    assert tuple(result.phases) == PHASES[:3]
    assert result.rtt is not None
    assert result.rtt.method is Method.TCP_INFO
    fields = result.fields
    assert {name: fields[name] for name in ("tls", "cipher", "subject", "issuer", "names", "key", "signature")} == {
        "tls": "1.3",
        "cipher": "TLS_AES_128_GCM_SHA256",
        "subject": "good",
        "issuer": "smoker-test-ca",
        "names": "127.0.0.1",
        "key": "ec secp256r1",
        "signature": "sha256_ecdsa",
    }
    assert fields["chain"] == ("good, smoker-test-ca" if hasattr(ssl.SSLSocket, "get_verified_chain") else "good")
    assert 89 * DAY < (found(result).expires_in or 0) < 91 * DAY
    assert " SUCCESS latency=" in line(result, 0.0)
    assert line(result, 0.0).endswith(" expires=89d target=api plane=other")


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "expired": ({"days": -1}, "expired", "certificate has expired"),
    "name": ({"san": "DNS:web.example"}, "wrong_name", "IP address mismatch, certificate is not valid for '127.0.0.1'"),
    "key": ({"key": ("-newkey", "rsa:1024")}, "weak", "EE certificate key too weak"),
    "digest": ({"key": ("-newkey", "rsa:2048"), "digest": "sha1"}, "weak", "CA signature digest algorithm too weak"),
}


@pytest.mark.parametrize("which", BAD)
def test_a_bad_certificate(tmp_path: Path, which: str) -> None:
    """TLS fails with a cause in one word and in a sentence; the certificate's data are known."""
    given_, cause, words = BAD[which]
    authority = Authority(tmp_path / "ca")
    with s_server(authority.issue("bad", **given_)) as port:
        result = shake(port, Options(ca=str(authority.file)))
    details = found(result)
    assert (result.outcome, details.cause) == (Outcome.TLS_ERROR, cause)
    assert result.error.startswith(f"tls: certificate not trusted: {words}")
    assert (details.subject, details.issuer) == ("bad", "smoker-test-ca")
    days = given_.get("days", 90)
    assert abs((details.expires_in or 0) - days * DAY) < DAY / 2
    assert f"FAILED error=tls_error cause={cause} expires={-1 if which == 'expired' else 89}d " in line(result, 0.0)
    assert tuple(result.phases) == PHASES[:3]


def test_a_certificate_without_a_trusted_issuer(ca: Authority, good: Path, tmp_path: Path) -> None:
    """One by another CA and one that is its own CA have different words."""
    other = Authority(tmp_path / "other", "other-ca")
    with s_server(good) as port:
        unknown = found(shake(port, Options(ca=str(other.file))))
    own = other.folder / "own.pem"
    own.write_bytes(other.file.read_bytes() + (other.folder / "ca.key").read_bytes())
    with s_server(own) as port:
        alone = found(shake(port, Options(ca=str(ca.file))))
    assert (unknown.cause, unknown.issuer) == ("unknown_ca", "smoker-test-ca")
    assert (alone.cause, alone.issuer, alone.subject) == ("self_signed", "other-ca", "other-ca")


def test_the_name_can_be_another(ca: Authority, tmp_path: Path) -> None:
    """With `serverName` the certificate must be for that name, whatever the host is."""
    file = ca.issue("web", san="DNS:web.example")
    with s_server(file) as port:
        right = shake(port, Options(ca=str(ca.file), server_name="web.example"))
        wrong = shake(port, Options(ca=str(ca.file), server_name="shop.example"))
    assert (right.outcome, right.fields["names"]) == (Outcome.SUCCESS, "web.example")
    assert (wrong.outcome, found(wrong).cause) == (Outcome.TLS_ERROR, "wrong_name")


@pytest.mark.parametrize(("served", "least", "cause"), [("-tls1_2", "1.3", "version"), ("-tls1_1", "1.2", "version")])
def test_an_old_version(ca: Authority, good: Path, served: str, least: str, cause: str) -> None:
    """A server below the least version fails, and the details have its version."""
    with s_server(good, served) as port:
        result = shake(port, Options(ca=str(ca.file), min_version=least))
    details = found(result)
    assert (result.outcome, details.cause, details.tls) == (
        Outcome.TLS_ERROR,
        cause,
        served.removeprefix("-tls").replace("_", "."),
    )


def test_the_protocol_behind_it(ca: Authority, good: Path) -> None:
    """With `alpn` the server must choose one of the protocols, which is in the details."""
    file = str(ca.file)
    with s_server(good, "-alpn", "h2") as port:
        chosen = shake(port, Options(ca=file, alpn=("h2", "http/1.1")))
        refused = shake(port, Options(ca=file, alpn=("http/1.1",)))
    with s_server(good) as port:
        silent = shake(port, Options(ca=file, alpn=("h2",)))
    assert (chosen.outcome, chosen.fields["alpn"]) == (Outcome.SUCCESS, "h2")
    assert [(each.outcome, found(each).cause) for each in (refused, silent)] == [(Outcome.TLS_ERROR, "alpn")] * 2
    assert silent.error == "tls: the server chose no protocol where h2 was offered (ALPN)"


@pytest.mark.parametrize(
    ("answer", "cause"),
    [(b"SSH-2.0-OpenSSH_9.6\r\n", "no_tls"), (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no_tls"), (b"", "closed")],
)
def test_no_tls(answer: bytes, cause: str) -> None:
    """A server of another protocol, and one that closes, have no known certificate."""
    with listening(answering(answer)) as port:
        result = shake(port, Options())
    assert (result.outcome, found(result).cause, found(result).not_after) == (Outcome.TLS_ERROR, cause, None)


def test_a_second_look_that_is_not_answered(good: Path) -> None:
    """If the certificate cannot be read again within the deadline, the first failure counts."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(good)
    connections: list[socket.socket] = []

    def serve(sock: socket.socket) -> None:
        connections.append(sock)
        if len(connections) == 1:
            with server.wrap_socket(sock, server_side=True) as tls:
                until_closed(tls)
        until_closed(sock)

    with listening(serve) as port:
        result = shake(port, Options(), timeout=ENOUGH)
    assert len(connections) == 2
    assert (result.outcome, found(result).cause, found(result).subject) == (Outcome.TLS_ERROR, "unknown_ca", None)


def test_a_bundle_that_is_missing(good: Path, tmp_path: Path) -> None:
    """A CA file that cannot be read is a local error and not the network's."""
    with s_server(good) as port:
        result = shake(port, Options(ca=str(tmp_path / "none.pem")))
    assert (result.outcome, result.error) == (
        Outcome.LOCAL_ERROR,
        f"tls: the CA bundle {tmp_path / 'none.pem'} cannot be read: no such file or directory",
    )


def state_of(result: Result) -> PathState:
    states = States(Identity(NODE), waited=lambda: 0.0, clock=lambda: 100.0)
    states.keep(result)
    (path,) = states.state("", MeshState()).paths
    return path


def test_the_date_in_state_and_metrics(ca: Authority, good: Path) -> None:
    """The date is a metric. The hub's state has it once it is nearer than `expiryWarning`."""
    with s_server(good) as port:
        far = shake(port, Options(ca=str(ca.file)))
        near = shake(port, Options(ca=str(ca.file), expiry_warning=91 * DAY))
    assert (state_of(far).expires, state_of(far).expires_in) == (0.0, 0.0)
    assert state_of(near).expires == found(near).not_after
    assert 89 * DAY < state_of(near).expires - time.time() < 91 * DAY
    registry = CollectorRegistry()
    Metrics(registry, interval=30.0).keep(far)
    metric = 'smoker_tls_not_after_timestamp_seconds{plane="other",probe="tls",target="api"}'
    (shown,) = (row for row in generate_latest(registry).decode().splitlines() if row.startswith(metric))
    assert float(shown.split()[-1]) == found(far).not_after
    assert rows()["smoker_tls_not_after_timestamp_seconds"].kind == "gauge"


def test_the_date_of_a_certificate_that_is_not_trusted(ca: Authority, good: Path, tmp_path: Path) -> None:
    """The hub and the metrics have the date of a certificate of an unknown CA, and of one that has expired."""
    other = Authority(tmp_path / "other", "other-ca")
    with s_server(good) as port:
        unknown = shake(port, Options(ca=str(other.file), expiry_warning=91 * DAY))
    with s_server(ca.issue("old", days=-1)) as port:
        expired = shake(port, Options(ca=str(ca.file)))
    for result in (unknown, expired):
        assert result.outcome is Outcome.TLS_ERROR
        assert state_of(result).expires == found(result).not_after
        (measure,) = found(result).measures
        assert measure.value == found(result).not_after
    assert state_of(expired).expires_in < 0 < state_of(unknown).expires_in


def test_a_target_that_is_down_keeps_its_date(ca: Authority, good: Path) -> None:
    """A probe that reads no certificate leaves the date in state and metrics; the next certificate replaces it."""
    options = Options(ca=str(ca.file), expiry_warning=91 * DAY)
    states = States(Identity(NODE), waited=lambda: 0.0, clock=lambda: 100.0)
    registry = CollectorRegistry()
    metrics = Metrics(registry, interval=30.0)

    def kept(result: Result) -> tuple[float, float, float | None]:
        states.keep(result)
        metrics.keep(result)
        (path,) = states.state("", MeshState()).paths
        labels = {"plane": "other", "probe": "tls", "target": "api"}
        shown = registry.get_sample_value("smoker_tls_not_after_timestamp_seconds", labels)
        return path.expires, path.expires_in, shown

    with s_server(good) as port:
        near = shake(port, options)
    date, left, shown = kept(near)
    assert (date, shown) == (found(near).not_after, found(near).not_after)
    down = replace(shake(port, options), began=near.began + DAY)
    assert down.outcome is Outcome.REFUSED
    then, less, still = kept(down)
    assert (then, still) == (date, date)
    assert less == pytest.approx(left - DAY, abs=0.01)
    with s_server(ca.issue("renewed", days=300)) as port:
        renewed = shake(port, options)
    assert kept(renewed) == (0.0, 0.0, found(renewed).not_after)


def test_by_url() -> None:
    """TARGETS names such a target by a URL with options after a question mark."""
    (target,) = externals.parse("api=tls://10.96.0.1?serverName=kubernetes.default.svc&expiryWarning=30d").values()
    options = Options(server_name="kubernetes.default.svc", expiry_warning=30 * DAY)
    assert (target.probe, target.port, target.options) == ("tls", 443, options)


@pytest.fixture(scope="module")
def der(good: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(good.read_text().partition("-----BEGIN PRIVATE")[0])


@given(data=st.data())
def test_any_bytes_are_read_or_refused(der: bytes, data: st.DataObject) -> None:
    """Random bytes and changed or cut certificates raise no other exception and give plain texts."""
    if data.draw(st.booleans()):
        spoiled = bytearray(der)
        for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(der) - 1), st.integers(0, 255)), max_size=8)):
            spoiled[at] = value
        tried = bytes(spoiled[: data.draw(st.integers(0, len(der)))]) if data.draw(st.booleans()) else bytes(spoiled)
    else:
        tried = data.draw(st.binary(max_size=300))
    try:
        certificate = decode(tried)
    except Malformed:
        return
    for text in (certificate.subject, certificate.issuer, *certificate.names):
        assert text.isprintable()
        assert len(text) <= LONGEST


def test_texts_from_outside_are_plain() -> None:
    """No control character of a certificate reaches a line or a terminal, and a long text is cut."""
    assert plain("a\x1b[31m\nb") == "a?[31m?b"
    assert len(plain("x" * 9999)) == LONGEST
