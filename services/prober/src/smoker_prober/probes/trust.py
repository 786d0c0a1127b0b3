"""Which certificates probes trust: those of a file, or the system's (SSL_CERT_FILE, SSL_CERT_DIR, openssl-env(7)).

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
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
KEPT = 64  # contexts

Wanted = tuple[str, str, tuple[str, ...]]  # CA, least version, protocols
_made: dict[Wanted, tuple[tuple[object, ...], ssl.SSLContext]] = {}  # each with the state of its store


class BadBundle(OSError):
    """A bundle that cannot be used. The message says which and why. It has no errno: it is no fault of the network."""


def context(ca: str = "", min_version: str = "1.2", alpn: tuple[str, ...] = ("http/1.1",)) -> ssl.SSLContext:
    """Return a context for the store as it is now: the file `ca`, or the system's store. Raises `BadBundle`.

    It is kept until the store changes: reading a bundle takes longer than a probe. OpenSSL's strict mode, which Python
    turns on since 3.13, is off: it refuses the CAs of many clusters for lack of an extension that no other client
    requires (docs/design/0009).
    """
    wanted = ca, min_version, alpn
    file, directory = (ca, "") if ca else _store()
    state = (_content(file), *_entries(directory))
    kept = _made.get(wanted)
    if kept is None or kept[0] != state:
        _made.pop(wanted, None)
        if len(_made) >= KEPT:
            del _made[next(iter(_made))]  # the oldest
        made = _own(ca) if ca else _system(file, directory)
        made.verify_flags &= ~ssl.VERIFY_X509_STRICT
        made.minimum_version = VERSIONS[min_version]
        if alpn:
            made.set_alpn_protocols(list(alpn))
        _made[wanted] = kept = state, made
    return kept[1]


def unverified() -> ssl.SSLContext:
    """Return a context that takes any certificate, weak ones and old versions too: only to read what it says."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    made.set_ciphers("ALL:@SECLEVEL=0")
    return made


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
    for directory in filter(None, directories.split(os.pathsep)):
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


def _system(file: str, directory: str) -> ssl.SSLContext:
    """Return a context that trusts the system's store."""
    made = ssl.create_default_context(capath=directory)  # OpenSSL reads its files when a handshake needs them
    if file:
        _load(made, file)
    return made


def _own(file: str) -> ssl.SSLContext:
    """Return a context that trusts the certificates in `file` alone; it may hold only an intermediate CA."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    _load(made, file)
    return made


def _load(made: ssl.SSLContext, file: str) -> None:
    try:
        made.load_verify_locations(file)
    except OSError:  # among them ssl.SSLError
        raise BadBundle(f"the CA bundle {file} does not hold certificates only") from None
