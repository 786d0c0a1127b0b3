"""What OpenSSL's errors mean: a cause in one word, for lines and labels, and a sentence for people."""

from __future__ import annotations

import re
import ssl
from typing import Literal

#: Why a TLS handshake failed. The words stand in lines and JSON.
Cause = Literal[
    "expired",  # a certificate of the chain has expired
    "not_yet_valid",
    "wrong_name",  # it is for other names than the one that was asked for
    "self_signed",  # it is its own CA, which is not trusted
    "unknown_ca",  # no certificate that is trusted has signed it, or an intermediate one is missing
    "weak",  # its key or its signature is too weak
    "revoked",
    "untrusted",  # anything else about the certificate
    "no_tls",  # the answer is not TLS
    "version",  # no version of TLS that both sides accept
    "alpn",  # no protocol that both sides accept
    "refused",  # the server ended the handshake with an alert
    "closed",  # the server closed the connection in the middle of the handshake
    "handshake",  # anything else
]

#: X509_V_ERR_… of OpenSSL's x509_vfy.h.
_BY_VERIFY_CODE: dict[int, Cause] = {
    2: "unknown_ca",
    9: "not_yet_valid",
    10: "expired",
    18: "self_signed",
    19: "self_signed",
    20: "unknown_ca",
    21: "unknown_ca",
    23: "revoked",
    62: "wrong_name",
    64: "wrong_name",
    66: "weak",
    67: "weak",
    68: "weak",
}

_AROUND = re.compile(r"^\[[^]]*\] ?| ?\(_ssl\.c:[0-9]+\)$")  # what Python puts around OpenSSL's words

#: By the end of OpenSSL's words for the error. Python does not know the names of all of them.
_BY_NAME: dict[str, tuple[Cause, str]] = {
    "WRONG_VERSION_NUMBER": ("no_tls", "the answer is not TLS"),
    "PACKET_LENGTH_TOO_LONG": ("no_tls", "the answer is not TLS"),
    "RECORD_LAYER_FAILURE": ("no_tls", "the answer is not TLS"),
    "HTTP_REQUEST": ("no_tls", "the answer is not TLS"),
    "UNSUPPORTED_PROTOCOL": ("version", "the server supports no TLS version that this probe accepts"),
    "ALERT_PROTOCOL_VERSION": ("version", "the server accepts none of the TLS versions offered"),
    "NO_APPLICATION_PROTOCOL": ("alpn", "the server accepts none of the protocols offered (ALPN)"),
    "UNRECOGNIZED_NAME": ("wrong_name", "the server does not know this name"),
    "CERTIFICATE_REQUIRED": ("refused", "the server requires a client certificate"),
    "BAD_CERTIFICATE": ("refused", "the server requires a client certificate"),
    "HANDSHAKE_FAILURE": ("refused", "the server refused the handshake"),
    "KEY_TOO_SMALL": ("weak", "a key of the server is too weak"),
    "BAD_SIGNATURE": ("handshake", "the server's signature is wrong"),
    "WRONG_SIGNATURE_TYPE": ("weak", "the server's signature algorithm is not accepted"),
}


class TlsFailure(ssl.SSLError):
    """A handshake that succeeded, with a result that is not acceptable. The message says why."""

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(1, message)
        self.cause: Cause = cause


def cause_of(error: ssl.SSLError) -> Cause:
    """Return why the handshake failed, in one word."""
    return _judged(error)[0]


def sentence_of(error: ssl.SSLError) -> str:
    """Return why the handshake failed, for a person."""
    return _judged(error)[1]


def _judged(error: ssl.SSLError) -> tuple[Cause, str]:
    if isinstance(error, TlsFailure):
        return error.cause, str(error.args[1])
    if isinstance(error, ssl.SSLCertVerificationError):
        message = str(getattr(error, "verify_message", "") or "verification failed")
        return _BY_VERIFY_CODE.get(getattr(error, "verify_code", 0), "untrusted"), f"certificate not trusted: {message}"
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "closed", "the server closed the connection inside the handshake"
    words = _AROUND.sub("", error.strerror or str(error))
    name = words.upper().replace(" ", "_")
    for end, found in _BY_NAME.items():
        if name.endswith(end):
            return found
    return ("refused" if "ALERT" in name else "handshake"), words
