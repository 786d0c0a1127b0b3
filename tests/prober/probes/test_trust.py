"""CAs that are renewed while the prober runs: the next probe trusts what the bundle holds now."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smoker_prober.network.resolve import Address
from smoker_prober.probes import base, run, trust
from smoker_prober.probes.http import Options
from smoker_prober.result import Outcome, Result
from smoker_prober.target import Target, service_path
from tests.prober.targets import HOST, NODE, PLENTY, answering, listening

HERE = Path(__file__).parent
OLD, NEW = "old", "new"
PAGE = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")
SUBJECT = "09d78763"  # openssl x509 -subject_hash

Probe = Callable[[str], Outcome]


def ca(which: str) -> Path:
    return HERE / f"ca_{which}.pem"


def serving(which: str, names: list[str | None]) -> Callable[[socket.socket], None]:
    """Serve a page over TLS with the certificate of one CA; each server name (SNI) goes to `names`."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(HERE / f"server_{which}.pem")
    server.sni_callback = lambda _sock, name, _context: names.append(name)

    def secured(sock: socket.socket) -> None:
        with server.wrap_socket(sock, server_side=True) as tls:
            PAGE(tls)

    return secured


def ask(port: int, host: str = HOST) -> Result:
    return run(Target("http", host, port, service_path(host, port), Options("/", tls=True)), NODE, PLENTY)


@pytest.fixture
def probe() -> Iterator[Probe]:
    """`probe(which)` returns the outcome of a probe of a server whose certificate is by that CA."""
    with listening(serving(OLD, [])) as old, listening(serving(NEW, [])) as new:
        yield lambda which: ask({OLD: old, NEW: new}[which]).outcome


def turned(probe: Probe, rotate: Callable[[], object]) -> None:
    """Check that one CA is trusted before `rotate` and the other one after it."""
    assert [probe(OLD), probe(NEW), probe(OLD)] == [Outcome.SUCCESS, Outcome.TLS_ERROR, Outcome.SUCCESS]
    rotate()
    assert [probe(NEW), probe(OLD), probe(NEW)] == [Outcome.SUCCESS, Outcome.TLS_ERROR, Outcome.SUCCESS]


def test_a_bundle_that_is_written_anew(probe: Probe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle rewritten in place, with the same size and times, is read again: the content counts."""
    bundle = tmp_path / "ca.crt"
    size = max(ca(which).stat().st_size for which in (OLD, NEW))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))

    def write(which: str) -> None:
        with bundle.open("r+b" if bundle.exists() else "wb") as file:
            file.write(ca(which).read_bytes().ljust(size, b"\n"))
        os.utime(bundle, (0, 0))

    write(OLD)
    turned(probe, lambda: write(NEW))


def test_a_bundle_by_the_kubelet(probe: Probe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ConfigMap's file is a link through `..data`, which is replaced at once."""
    for which in (OLD, NEW):
        (tmp_path / f"..{which}").mkdir()
        shutil.copy(ca(which), tmp_path / f"..{which}" / "ca.crt")
    (tmp_path / "..data").symlink_to("..old")
    (tmp_path / "ca.crt").symlink_to("..data/ca.crt")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))

    def swap() -> None:
        (tmp_path / "..data_tmp").symlink_to("..new")
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")
        shutil.rmtree(tmp_path / "..old")

    turned(probe, swap)


def test_a_directory_of_certificates(probe: Probe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SSL_CERT_DIR, one of several and its names by the subject's hash: two CAs of one name have one hash."""
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path / 'missing'}:{tmp_path}")
    shutil.copy(ca(OLD), tmp_path / f"{SUBJECT}.0")

    def swap() -> None:
        shutil.copy(ca(NEW), tmp_path / "renewed")
        (tmp_path / "renewed").rename(tmp_path / f"{SUBJECT}.0")

    turned(probe, swap)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda bundle: bundle.unlink(), "cannot be read: no such file or directory"),
        (lambda bundle: (bundle.unlink(), bundle.mkdir()), "cannot be read: is a directory"),
        (lambda bundle: bundle.write_bytes(b""), "does not hold certificates only"),
        (lambda bundle: bundle.write_bytes(b"\x00" * 99), "does not hold certificates only"),
        (
            lambda bundle: bundle.write_bytes(bundle.read_bytes()[:-99]),
            "does not hold certificates only",
        ),
    ],
    ids=["missing", "directory", "empty", "garbage", "half"],
)
def test_a_bundle_that_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, records: list[str], spoil: Callable[[Path], object], why: str
) -> None:
    """It is a local error in a sentence without a traceback, and works once the bundle is right again."""
    bundle = tmp_path / "ca.crt"
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    with listening(serving(OLD, [])) as port:
        for _ in range(2):
            shutil.copy(ca(OLD), bundle)
            assert ask(port).outcome is Outcome.SUCCESS
            spoil(bundle)
            for _ in range(2):
                result = ask(port)
                assert (result.outcome, result.error) == (Outcome.LOCAL_ERROR, f"tls: the CA bundle {bundle} {why}")
            if bundle.is_dir():
                bundle.rmdir()
    assert records == []


def test_a_bundle_that_stays_is_read_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Loading a bundle takes longer than a probe, so the context stays until the content changes."""
    shutil.copy(ca(OLD), bundle := tmp_path / "ca.crt")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    first = trust.context()
    bundle.touch()
    assert trust.context() is first
    shutil.copy(ca(NEW), bundle)
    assert trust.context() is not first


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("web.example.", ["web.example"]),
        ("bücher.test", ["xn--bcher-kva.test"]),
        ("127.0.0.1", [None]),
        ("::1%lo", [None]),
    ],
)
def test_the_name_in_tls(monkeypatch: pytest.MonkeyPatch, host: str, names: list[str | None]) -> None:
    """A-labels are sent and verified. An address is verified without its zone and never sent (RFC 6066)."""
    found: list[str | None] = []
    monkeypatch.setenv("SSL_CERT_FILE", str(ca(OLD)))
    with listening(serving(OLD, found)) as port:
        here = Address(socket.AF_INET, (HOST, port))
        monkeypatch.setattr(base, "resolve", lambda _target, _deadline: here)
        result = ask(port, host)
    assert (result.outcome, result.error) == (Outcome.SUCCESS, "")
    assert found == names
