"""Certificates by a CA of the tests, good and bad, and OpenSSL's own server that shows them."""

from __future__ import annotations

import contextlib
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


def openssl(*arguments: object) -> None:
    """Run the command."""
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """A CA in `folder`. `file` is its certificate."""

    def __init__(self, folder: Path, name: str = "smoker-test-ca") -> None:
        folder.mkdir()
        self.folder, self.file, self._key = folder, folder / "ca.pem", folder / "ca.key"
        openssl(
            "req", "-x509", *EC, "-nodes", "-days", 400, "-subj", f"/CN={name}", "-keyout", self._key, "-out", self.file
        )

    def issue(
        self, name: str, *, san: str = "IP:127.0.0.1", days: int = 90, key: tuple[str, ...] = EC, digest: str = "sha256"
    ) -> Path:
        """Return a file with a new certificate for `san` and its key. With `days` of -1 it expired yesterday."""
        file, private, request, extensions = (self.folder / f"{name}.{end}" for end in ("pem", "key", "csr", "ext"))
        openssl("req", "-new", *key, "-nodes", "-subj", f"/CN={name}", "-keyout", private, "-out", request)
        extensions.write_text(f"subjectAltName={san}\nbasicConstraints=critical,CA:FALSE\n")
        by = ("-CA", self.file, "-CAkey", self._key, "-CAcreateserial", "-extfile", extensions)
        openssl("x509", "-req", "-in", request, *by, "-days", days, f"-{digest}", "-out", file)
        file.write_bytes(file.read_bytes() + private.read_bytes())
        return file


def _drain(stream: IO[bytes]) -> None:
    """Read to the end: the server writes some lines for each connection, and a full pipe would stop it."""
    for _line in stream:
        pass


@contextlib.contextmanager
def s_server(certificate: Path, *options: str, host: str = "127.0.0.1", inside: Sequence[str] = ()) -> Iterator[int]:
    """Run `openssl s_server` with a certificate, weak or not, and yield its port.

    `inside`: the beginning of a command that runs the rest elsewhere, such as in another network namespace.
    """
    weak = ("-cipher", "DEFAULT@SECLEVEL=0", "-ciphersuites", "TLS_AES_128_GCM_SHA256")
    command = [*inside, "openssl", "s_server", "-accept", f"{host}:0", "-cert", str(certificate), *weak, *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as server:
        assert server.stdout is not None
        said = b""
        try:
            for line in server.stdout:
                said += line
                if match := re.match(b"ACCEPT %s:([0-9]+)" % re.escape(host.encode()), line):
                    rest = threading.Thread(target=_drain, args=(server.stdout,))
                    rest.start()
                    try:
                        yield int(match[1])
                    finally:
                        server.kill()
                        rest.join()
                    break
            else:
                raise AssertionError(f"openssl s_server did not start: {said.decode()}")
        finally:
            server.kill()
