"""The files of a client certificate: mistakes in them are found before the hub starts, and at each attempt to send."""

from __future__ import annotations

from pathlib import Path

import pytest

from smoker_hub.post import PostError, send
from smoker_hub.tls import Client, bad_client, context_of
from tests.prober.probes.pki import Authority, openssl


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two certificates with their keys, one.pem and other.pem, and bad files."""
    ca = Authority(tmp_path_factory.mktemp("client") / "ca")
    ca.issue("one")
    ca.issue("other")
    openssl("pkey", "-in", ca.folder / "one.key", "-aes256", "-passout", "pass:secret", "-out", ca.folder / "locked")
    (ca.folder / "empty").touch()
    (ca.folder / "broken").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    return ca.folder


def test_good_files_fit(files: Path) -> None:
    """A certificate and its key fit in two files and in one, also with a comment that is not ASCII."""
    both, key = files / "one.pem", files / "one.key"
    assert bad_client(Client(str(both), str(key))) == bad_client(Client(str(both), str(both))) == ""
    commented = files / "commented"
    commented.write_text(f"subject: CN=Žofka\n{both.read_text()}")
    assert bad_client(Client(str(commented), str(key))) == ""


@pytest.mark.parametrize(
    ("certificate", "key", "words"),
    [
        ("nothing", "one.key", "{certificate} cannot be used: no such file or directory"),
        ("one.pem", "nothing", "{key} cannot be used: no such file or directory"),
        ("nothing", ".", "{certificate} cannot be used: no such file or directory and {key} cannot be used: is a dir"),
        ("one.key", "one.key", "{certificate} cannot be used: it has no certificate in PEM form"),
        ("one.pem", "empty", "{key} cannot be used: it has no private key in PEM form"),
        ("one.pem", "other.key", "{certificate} and {key} cannot be used: the key does not belong to the certificate"),
        ("one.pem", "locked", "{key} cannot be used: the key is encrypted, and the hub has no passphrase"),
        ("one.pem", "broken", "{certificate} and {key} cannot be used: one of them is damaged or too weak"),
    ],
)
def test_bad_files_are_named(files: Path, certificate: str, key: str, words: str) -> None:
    """A sentence names the bad file, or both, and says what is wrong."""
    paths = {"certificate": f"{files}/{certificate}", "key": f"{files}/{key}"}
    client = Client(**paths)
    assert bad_client(client).startswith(words.format(**paths))
    with pytest.raises(PostError) as error:
        send("https://127.0.0.1:9/", b"", {}, seconds=1.0, limit=100, client=client)
    assert str(error.value).split(" ")[0] in paths.values()


def test_the_scheme_may_have_capitals(files: Path) -> None:
    """A URL with HTTPS:// is one with TLS, so its CAs and its certificate count."""
    client = Client(str(files / "one.pem"), str(files / "one.key"))
    assert context_of("HTTPS://127.0.0.1/", str(files / "ca.pem"), client) is not None
    assert context_of("HTTP://127.0.0.1/", str(files / "ca.pem"), client) is None
