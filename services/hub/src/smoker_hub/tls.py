"""The trusted CAs and the client certificate of the hub's requests over TLS.

Each request reads the files again, so that a renewed certificate needs no restart. A context is made anew only where
their content has changed.
"""

from __future__ import annotations

import ssl
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

LARGEST = 1_000_000  # characters of a file that are read


class BadFile(ValueError):
    """A file cannot be used. The text names it and says why."""


class Client(NamedTuple):
    """The paths of a client certificate, with its chain, and of its private key. Both are PEM files."""

    certificate: str
    key: str


def context_of(url: str, ca: str, client: Client | None = None) -> ssl.SSLContext | None:
    """Return the context of a request to `url`, None without TLS. Raises `BadFile`.

    `ca`: the path of a PEM file with the only CAs to trust; empty: the system's.
    """
    if urlsplit(url).scheme != "https":
        return None
    pem = _read(ca, "the CA file ") if ca else ""
    texts = (_read(client.certificate), _read(client.key)) if client else ("", "")
    return _context(ca, pem, client, texts)


def bad_ca(ca: str) -> str:
    """Return why the CA file `ca` cannot be used, or an empty string."""
    try:
        context_of("https:", ca)
    except BadFile as bad:
        return str(bad)
    return ""


def bad_client(client: Client) -> str:
    """Return why a client certificate cannot be used, or an empty string."""
    unread = []
    for path in dict.fromkeys(client):
        try:
            _read(path)
        except BadFile as bad:
            unread.append(str(bad))
    if unread:
        return " and ".join(unread)
    try:
        context_of("https:", "", client)
    except BadFile as bad:
        return str(bad)
    return ""


def _read(path: str, what: str = "") -> str:
    try:
        with open(path, encoding="ascii", errors="ignore") as file:  # comments beside the PEM may be of any text
            return file.read(LARGEST)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BadFile(f"{what}{path} cannot be used: {why.lower()}") from None


@lru_cache(maxsize=8)
def _context(ca: str, pem: str, client: Client | None, texts: tuple[str, str]) -> ssl.SSLContext:
    """Return a context that trusts the CAs of `pem`, the system's where it is empty, and shows `client`."""
    try:
        context = ssl.create_default_context(cadata=pem or None)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BadFile(f"the CA file {ca} cannot be used: {why.lower()}") from None
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # it refuses the CAs of many clusters (docs/design/0009)
    if client:
        _show(context, client, texts)
    return context


def _show(context: ssl.SSLContext, client: Client, texts: tuple[str, str]) -> None:
    """Have `context` show the certificate of `client`. OpenSSL's own words do not say which file is wrong."""
    for path, text, what in zip(client, texts, ("CERTIFICATE", "PRIVATE KEY"), strict=True):
        if f"{what}-----" not in text:
            raise BadFile(f"{path} cannot be used: it has no {what.lower()} in PEM form")

    def no_passphrase() -> str:  # without it OpenSSL would ask on the terminal
        raise BadFile(f"{client.key} cannot be used: the key is encrypted, and the hub has no passphrase")

    try:
        context.load_cert_chain(*client, password=no_passphrase)
    except OSError as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            why = "the key does not belong to the certificate"
        else:
            why = "one of them is damaged or too weak"
        raise BadFile(f"{client.certificate} and {client.key} cannot be used: {why}") from None
