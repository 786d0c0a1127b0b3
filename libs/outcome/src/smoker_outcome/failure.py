"""Map the errors of the kernel, the resolver and urllib3 to an `Outcome`. No other module knows these errors."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl

from urllib3.exceptions import HTTPError, ProtocolError

from smoker_outcome.outcome import Outcome
from smoker_outcome.tls import sentence_of

_BY_ERRNO = {
    errno.ETIMEDOUT: Outcome.TIMEOUT,
    errno.ECONNREFUSED: Outcome.REFUSED,
    errno.EHOSTUNREACH: Outcome.UNREACHABLE,
    errno.ENETUNREACH: Outcome.UNREACHABLE,
    errno.ENETDOWN: Outcome.UNREACHABLE,
    errno.EHOSTDOWN: Outcome.UNREACHABLE,
    errno.EACCES: Outcome.UNREACHABLE,  # ICMPv6 "administratively prohibited" (linux net/ipv6/icmp.c)
    errno.EPERM: Outcome.UNREACHABLE,  # a local firewall rule for outgoing packets, or a full connection table
    errno.ENONET: Outcome.UNREACHABLE,  # ICMP host isolated
    errno.ENOPROTOOPT: Outcome.UNREACHABLE,  # ICMP protocol unreachable
    errno.EPROTO: Outcome.UNREACHABLE,  # ICMPv6 parameter problem
    errno.ECONNRESET: Outcome.RESET,
    errno.EPIPE: Outcome.RESET,
    errno.ECONNABORTED: Outcome.RESET,
}


class DeadlineExceeded(TimeoutError):
    """The deadline has passed."""


class BadReply(Exception):
    """The answer is not the expected one. The text says what came instead."""


class ResolveError(Exception):
    """The name has no address, or its DNS servers did not answer."""


class Reported(OSError):
    """An error reported by ICMP. Its text names the sender, which strerror does not."""


def outcome_of(error: BaseException, phase: str) -> Outcome:
    """Return the outcome of a probe that `error` ended in `phase`."""
    if isinstance(error, ResolveError | socket.gaierror) or (
        isinstance(error, DeadlineExceeded) and phase == "resolve"
    ):
        return Outcome.RESOLVE_ERROR
    if isinstance(error, TimeoutError):
        return Outcome.TIMEOUT
    if isinstance(error, ssl.SSLError):
        return Outcome.TLS_ERROR
    if isinstance(error, BadReply | http.client.HTTPException):  # among them RemoteDisconnected: FIN, not RST
        return Outcome.BAD_REPLY
    if isinstance(error, HTTPError):
        cause = cause_of(error)
        return Outcome.BAD_REPLY if cause is None else outcome_of(cause, phase)
    if isinstance(error, OSError):
        return _BY_ERRNO.get(error.errno or 0, Outcome.LOCAL_ERROR)
    return Outcome.LOCAL_ERROR


def reason(error: BaseException, phase: str) -> str:
    """Return the phase and the cause of a failure, for a person. What a server sent stands in it as printable text."""
    if isinstance(error, HTTPError) and (cause := cause_of(error)) is not None:
        return reason(cause, phase)
    if isinstance(error, ssl.SSLError):
        text = sentence_of(error)
    elif isinstance(error, http.client.IncompleteRead):
        text = "the body ended early"
    elif isinstance(error, http.client.BadStatusLine | http.client.UnknownProtocol) and not isinstance(error, OSError):
        text = f"no status line of HTTP/1: {str(error)[:32]!r}"
    else:
        text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    text = "".join(each if each.isprintable() else "?" for each in text)
    return f"{phase}: {in_a_sentence(text)}" if phase else text


def in_a_sentence(text: str) -> str:
    """Return `text` with a small first letter, unless its first word is an abbreviation or a name."""
    return text[:1].lower() + text[1:] if text.partition(" ")[0][1:].islower() else text


def cause_of(error: HTTPError) -> BaseException | None:
    """Return the error that urllib3 wrapped, if any: for example a socket error in a ProtocolError."""
    wrapped = [error.__cause__, error.__context__, *(error.args if isinstance(error, ProtocolError) else ())]
    return next((e for e in wrapped if isinstance(e, OSError | http.client.HTTPException)), None)
