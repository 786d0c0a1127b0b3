"""From OpenSSL's errors to a cause in one word and a sentence. The TLS probe's tests make them with real servers."""

from __future__ import annotations

import ssl

import pytest

from smoker_outcome.failure import outcome_of, reason
from smoker_outcome.outcome import Outcome
from smoker_outcome.tls import TlsFailure, cause_of, sentence_of


def refused(code: int, message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {message}")
    error.verify_code, error.verify_message = code, message
    return error


@pytest.mark.parametrize(
    ("error", "cause", "sentence"),
    [
        (refused(10, "certificate has expired"), "expired", "certificate not trusted: certificate has expired"),
        (refused(23, "certificate revoked"), "revoked", "certificate not trusted: certificate revoked"),
        (refused(79, "proxy certificates"), "untrusted", "certificate not trusted: proxy certificates"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"), "no_tls", None),
        (ssl.SSLError(1, "[SSL] tlsv1 alert no application protocol (_ssl.c:1006)"), "alpn", None),
        (
            ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required"),
            "refused",
            None,
        ),
        (
            ssl.SSLError(1, "[SSL: TLSV1_ALERT_INTERNAL_ERROR] tlsv1 alert internal error (_ssl.c:1)"),
            "refused",
            "tlsv1 alert internal error",
        ),
        (ssl.SSLError(1, "[SSL] something new (_ssl.c:1)"), "handshake", "something new"),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "closed", None),
        (TlsFailure("alpn", "the server chose h3"), "alpn", "the server chose h3"),
    ],
)
def test_causes(error: ssl.SSLError, cause: str, sentence: str | None) -> None:
    """Each error has a cause in one word and a sentence without OpenSSL's signs around it, as a TLS error's reason."""
    assert cause_of(error) == cause
    assert sentence is None or sentence_of(error) == sentence
    assert not set("[](_") & set(sentence_of(error).replace("(ALPN)", ""))
    assert outcome_of(error, "tls") is Outcome.TLS_ERROR
    assert reason(error, "tls") == f"tls: {sentence_of(error)}"
