"""Which certificates the HTTP probe trusts: the system's, or those of SSL_CERT_FILE and SSL_CERT_DIR (openssl-env(7)).

A CA can be renewed while the prober runs: in place, or by a link that the kubelet points elsewhere. So each probe reads
the bundle, and OpenSSL's copy of it is kept only while the content stays the same.
"""

from __future__ import annotations

import hashlib
import os
import re
import ssl
from collections.abc import Iterator

_BY_HASH = re.compile(r"[0-9a-f]{8}\.r?[0-9]+")  # what OpenSSL reads of a directory (openssl-rehash(1))
_made: dict[tuple[object, ...], ssl.SSLContext] = {}  # at most one, by its store's state


class BadBundle(OSError):
    """A bundle that cannot be used. The message says which and why. It has no errno: it is no fault of the network."""


def context() -> ssl.SSLContext:
    """Return a context for the store as it is now. Raises `BadBundle`.

    It is kept until the store changes: reading a bundle takes longer than a probe. OpenSSL's strict mode, which Python
    turns on since 3.13, is off: it refuses the CAs of many clusters for lack of an extension that no other client
    requires (docs/design/0009).
    """
    file, directory = _store()
    state = (_content(file), *_entries(directory))
    if state not in _made:
        _made.clear()
        _made[state] = _context(file, directory)
    return _made[state]


def _store() -> tuple[str, str]:
    """Return the file and the directories that OpenSSL reads; a default file only if it exists."""
    paths = ssl.get_default_verify_paths()
    default = paths.openssl_cafile if os.path.exists(paths.openssl_cafile) else ""
    file = os.environ.get(paths.openssl_cafile_env) or default
    return file, os.environ.get(paths.openssl_capath_env) or paths.openssl_capath


def _content(file: str) -> bytes:
    if not file:
        return b""
    try:
        with open(file, "rb") as bundle:
            return hashlib.file_digest(bundle, "blake2b").digest()
    except OSError as error:
        raise BadBundle(f"the CA bundle {file} cannot be read: {(error.strerror or str(error)).lower()}") from None


def _entries(directories: str) -> Iterator[tuple[object, ...]]:
    """Yield the identity of each certificate file, which changes with its content; there can be hundreds of files."""
    for directory in directories.split(os.pathsep):
        try:
            names = sorted(filter(_BY_HASH.fullmatch, os.listdir(directory)))
        except OSError:  # OpenSSL cannot read it either
            continue
        for name in names:
            path = os.path.join(directory, name)
            try:
                found = os.stat(path)
            except OSError:  # a dangling link
                continue
            yield path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _context(file: str, directory: str) -> ssl.SSLContext:
    made = ssl.create_default_context(capath=directory)  # OpenSSL reads its files when a handshake needs them
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    made.set_alpn_protocols(["http/1.1"])
    if file:
        try:
            made.load_verify_locations(file)
        except OSError:  # among them ssl.SSLError
            raise BadBundle(f"the CA bundle {file} holds something else than certificates, or none") from None
    return made
