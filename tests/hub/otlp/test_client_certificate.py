"""A collector that demands a client certificate, from the variables to the records that arrive."""

from __future__ import annotations

import shutil
import ssl
from pathlib import Path

import pytest

from smoker_hub.otlp.encode import Record, encode_logs
from smoker_hub.otlp.options import Options, read
from smoker_hub.otlp.sender import Sender
from tests.hub.notify.receivers import Receiver, receiver
from tests.prober.probes.pki import Authority

from .messages import records as log_records

BASE = "OTEL_EXPORTER_OTLP_"
RECORD = Record(1_700_000_000.25, 1_700_000_001.0, 13, "smoker.result.failed", "body", {})
BODY = encode_logs({"service.name": "smoker-hub"}, [RECORD])


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    """A CA with the certificates of a server and of two clients."""
    made = Authority(tmp_path / "ca")
    for name in ("server", "first", "second"):
        made.issue(name)
    return made


@pytest.fixture
def demanding(ca: Authority) -> ssl.SSLContext:
    """What a server uses that demands a client certificate of the CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca.folder / "server.pem")
    context.load_verify_locations(ca.file)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def options_of(there: Receiver, ca: Authority, **more: object) -> Options:
    """Return the options of the logs from the variables."""
    variables = {"LOGS_ENDPOINT": there.url, "CERTIFICATE": ca.file, **more}
    found, mistakes = read({BASE + name: str(value) for name, value in variables.items()})
    assert (mistakes, found.notes) == ([], [])
    assert found.logs is not None
    return found.logs


def sent(options: Options) -> int:
    """Send one record, and return how many the server took."""
    sender = Sender("logs", options, lambda _: None)
    sender.send(BODY, 1)
    return sender.counts["sent"]


def shown(there: Receiver) -> list[str]:
    """Return the names of the clients."""
    return [dict(pair for (pair,) in each["subject"])["commonName"] for each in there.clients]


@pytest.mark.parametrize("signal", ["", "LOGS_"])
def test_the_certificate_is_shown(ca: Authority, demanding: ssl.SSLContext, signal: str) -> None:
    """A server that demands a certificate takes the records of a hub that shows one, of both signals or of one."""
    files = {f"{signal}CLIENT_CERTIFICATE": ca.folder / "first.pem", f"{signal}CLIENT_KEY": ca.folder / "first.key"}
    with receiver(200, tls=demanding) as there:
        assert sent(options_of(there, ca, **files)) == 1
    assert shown(there) == ["first"]
    assert [record.event_name for record in log_records(there.got[0])] == ["smoker.result.failed"]


def test_without_a_certificate_the_server_refuses(ca: Authority, demanding: ssl.SSLContext, records: list[str]) -> None:
    """Without a certificate, and with that of another CA, nothing arrives, and the log says so."""
    other = Authority(ca.folder / "other")
    other.issue("stranger")
    stranger = {"CLIENT_CERTIFICATE": other.folder / "stranger.pem", "CLIENT_KEY": other.folder / "stranger.key"}
    with receiver(200, tls=demanding) as there:
        assert sent(options_of(there, ca)) == 0
        assert sent(options_of(there, ca, **stranger)) == 0
    assert (there.got, there.clients) == ([], [])
    assert len([line for line in records if "the OTLP collector does not accept records" in line]) == 2


def test_a_renewed_certificate_needs_no_restart(ca: Authority, demanding: ssl.SSLContext, tmp_path: Path) -> None:
    """The files are read again for each request; while they do not fit together nothing is sent."""
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    with receiver(200, tls=demanding) as there:
        shutil.copy(ca.folder / "first.pem", certificate)
        shutil.copy(ca.folder / "first.key", key)
        options = options_of(there, ca, CLIENT_CERTIFICATE=certificate, CLIENT_KEY=key)
        assert sent(options) == 1
        shutil.copy(ca.folder / "second.pem", certificate)
        assert sent(options) == 0
        shutil.copy(ca.folder / "second.key", key)
        assert sent(options) == 1
    assert shown(there) == ["first", "second"]
