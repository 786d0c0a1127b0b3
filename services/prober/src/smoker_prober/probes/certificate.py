"""Decode a certificate (RFC 5280), trusted or not. Its texts come from outside: they are cut and made printable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asn1crypto import x509

LARGEST = 64 * 1024  # bytes of a certificate
MOST_NAMES = 10  # names of it that are kept
LONGEST = 253  # characters of a text


class Malformed(ValueError):
    """These bytes are no certificate that can be read."""


@dataclass(frozen=True)
class Certificate:
    """A certificate. Instants are seconds since the epoch."""

    subject: str  # its common name, or its first other name
    issuer: str
    names: tuple[str, ...]  # the DNS names and addresses that it is for
    not_before: float
    not_after: float
    key: str  # "rsa 2048"
    signature: str  # "sha256_rsa"


def decode(der: bytes) -> Certificate:
    """Return the certificate in `der`. Raises `Malformed`."""
    if len(der) > LARGEST:
        raise Malformed(f"a certificate of {len(der)} bytes, more than {LARGEST}")
    try:
        return _decode(der)
    except Exception as error:  # the parser reads a field when it is asked for, and its errors are of many types
        raise Malformed(f"no certificate that can be read: {plain(str(error))}") from None


def _decode(der: bytes) -> Certificate:
    found = x509.Certificate.load(der, strict=True)
    names = tuple(plain(str(each.native)) for each in list(found.subject_alt_name_value or ())[:MOST_NAMES])
    key, validity = found.public_key, found["tbs_certificate"]["validity"]
    return Certificate(
        subject=_name(found.subject) or (names[0] if names else ""),
        issuer=_name(found.issuer),
        names=names,
        not_before=validity["not_before"].native.timestamp(),
        not_after=validity["not_after"].native.timestamp(),
        key=f"{key.algorithm} {key.curve[1] if key.algorithm == 'ec' else key.bit_size}",
        signature=str(found["signature_algorithm"]["algorithm"].native),
    )


def _name(name: Any) -> str:
    """Return the common name, or all of the name where it has none."""
    common = name.native.get("common_name", "")
    text = common if isinstance(common, str) else ", ".join(common)
    return plain(text or name.human_friendly)


def plain(text: str) -> str:
    """Return `text` as one line without anything that a terminal or a log would act on."""
    return "".join(each if each.isprintable() else "?" for each in text[:LONGEST])
