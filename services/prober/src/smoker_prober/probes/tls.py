"""The TLS probe: a handshake whose certificate is verified, and what the certificate says.

OpenSSL shows no certificate that it refused. So after a failure the probe reads it over a second connection, which
accepts any certificate.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from dataclasses import dataclass, replace
from typing import Any

from smoker_common.kinds import duration, one_of
from smoker_outcome.tls import Cause, cause_of
from smoker_prober.network.resolve import address
from smoker_prober.probes import option_kinds
from smoker_prober.probes.base import Attempt, Probe
from smoker_prober.probes.certified import DAY, WARNING, Certified
from smoker_prober.probes.connection import connect, connect_to, count_retransmits
from smoker_prober.probes.handshake import Security, require_alpn, secured, server_name, shake_hands
from smoker_prober.probes.options import option
from smoker_prober.probes.trust import unverified

MOST = 10  # certificates of a chain that are read


@dataclass(frozen=True)
class Options:
    """How the handshake is made, and what is expected of it."""

    server_name: str = option("", option_kinds.host, "the name in the server's certificate; default: the host")
    ca: str = option("", option_kinds.file, "a file with the CAs to trust; default: the system's")
    min_version: str = option("1.2", one_of("1.2", "1.3"), "the oldest version of TLS that is accepted")
    alpn: tuple[str, ...] = option((), option_kinds.protocols, "protocols, of which the server must choose one")
    expiry_warning: float = option(WARNING, duration(0, 3650 * DAY), "how long before expiry a finding warns")


@dataclass(frozen=True, kw_only=True)
class Details(Certified):
    """What only a TLS probe finds. The texts of the certificate come from outside."""

    cause: Cause | None = None  # why the handshake failed, in one word
    tls: str | None = None  # version
    cipher: str | None = None
    alpn: str | None = None
    subject: str | None = None
    issuer: str | None = None
    names: str | None = None
    key: str | None = None
    signature: str | None = None
    chain: str | None = None  # the names of its certificates, the target's first

    @property
    def of_success(self) -> dict[str, Any]:
        """Return the days until the first certificate expires; below 0 the days since."""
        return {} if self.expires_in is None else {"expires": f"{int(self.expires_in / DAY)}d"}

    @property
    def of_failure(self) -> dict[str, Any]:
        """Return the cause, and when the certificate expires."""
        return ({"cause": self.cause} if self.cause else {}) | self.of_success


def run(attempt: Attempt) -> None:
    """Shake hands and read the certificate."""
    options: Options = attempt.target.options or Options()
    security = Security(options.server_name, options.ca, options.min_version, options.alpn)
    try:
        with connect(attempt) as sock, secured(attempt, sock, security) as tls:
            count_retransmits(attempt, tls)
            attempt.details = _details(tls, options, verified=True)
            if options.alpn:
                require_alpn(tls, *options.alpn)
            with contextlib.suppress(OSError):
                tls.unwrap()  # sends close_notify, and does not wait for the answer
    except ssl.SSLError as error:
        seen = attempt.details if isinstance(attempt.details, Details) else _look(attempt, options)
        attempt.details = replace(seen, cause=cause_of(error))
        raise


def _look(attempt: Attempt, options: Options) -> Details:
    """Return what the server's certificate says, trusted or not, as far as the deadline allows."""
    with contextlib.suppress(OSError, ValueError):
        there = address(attempt.address, attempt.target.port)
        with socket.socket(there.family, socket.SOCK_STREAM) as sock:
            connect_to(sock, there, attempt.deadline)
            name = server_name(attempt.target, options.server_name)
            tls = unverified().wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
            with contextlib.closing(tls):
                shake_hands(tls, attempt.deadline)
                return _details(tls, options, verified=False)
    return Details(expiry_warning=options.expiry_warning)


def _details(tls: ssl.SSLSocket, options: Options, *, verified: bool) -> Details:
    """Return what the handshake found."""
    from smoker_prober.probes.certificate import Malformed, decode  # noqa: PLC0415  0.8 MiB

    cipher = tls.cipher()
    found = Details(
        tls=(tls.version() or "").removeprefix("TLSv") or None,
        cipher=cipher[0] if cipher else None,
        alpn=tls.selected_alpn_protocol(),
        expiry_warning=options.expiry_warning,
    )
    try:
        chain = [decode(each) for each in _chain(tls, verified=verified)[:MOST]]
    except Malformed:
        return found
    if not chain:
        return found
    own, not_after = chain[0], min(each.not_after for each in (chain if verified else chain[:1]))
    return replace(
        found,
        not_after=not_after,
        expires_in=not_after - time.time(),
        subject=own.subject or None,
        issuer=own.issuer or None,
        names=", ".join(own.names) or None,
        key=own.key,
        signature=own.signature,
        chain=", ".join(each.subject or "?" for each in chain),
    )


def _chain(tls: ssl.SSLSocket, *, verified: bool) -> list[bytes]:
    """Return the certificates, the server's own first: before Python 3.13 that one alone.

    A verified chain is the one that OpenSSL built, with the CA. The server may have sent more than that, such as an
    expired cross-sign that is not needed.
    """
    get = getattr(tls, "get_verified_chain" if verified else "get_unverified_chain", None)
    if get is not None:
        return list(get())
    own = tls.getpeercert(binary_form=True)
    return [own] if own else []


def _prepare(_options: object) -> None:
    import smoker_prober.probes.certificate  # noqa: F401, PLC0415


probe = Probe(
    run,
    "tcp",
    "a TLS handshake with a verified certificate",
    options=Options,
    default_port=443,
    schemes=("tls",),
    form="tls://host[:port]",
    prepare=_prepare,
)
