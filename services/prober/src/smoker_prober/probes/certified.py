"""What probes over TLS find: when the target's certificate expires."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from smoker_prober.result import Details, Expiry, Measure

DAY = 86_400.0  # seconds
WARNING = 14 * DAY
LAST = 253_402_300_799.0  # the end of the year 9999, as certificates without an end have it (RFC 5280 section 4.1.2.5)
NOT_AFTER = ("smoker_tls_not_after_timestamp_seconds", "When the first certificate of the target's chain expires")


@dataclass(frozen=True, kw_only=True)
class Certified(Details):
    """What a probe finds over TLS. Instants are seconds since the epoch; None without TLS."""

    not_after: float | None = None
    expires_in: float | None = None  # seconds from the probe until then, negative after it
    expiry_warning: float = WARNING

    @property
    def fields(self) -> dict[str, Any]:
        """Return it flat, for JSON, without what is not known."""
        found = {name: value for name, value in super().fields.items() if name not in ("expires_in", "expiry_warning")}
        return found | ({"not_after": date(self.not_after)} if self.not_after is not None else {})

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Return when it expires."""
        return () if self.not_after is None else (Measure(*NOT_AFTER, self.not_after),)

    @property
    def certificate(self) -> bool:
        """Whether the probe read the target's certificate."""
        return self.not_after is not None

    @property
    def expiry(self) -> Expiry | None:
        """Return when it expires, where that is soon."""
        if self.not_after is None or self.expires_in is None or self.expires_in > self.expiry_warning:
            return None
        return Expiry(self.not_after, self.expires_in)


def expiry_of(sock: socket.socket) -> dict[str, Any]:
    """Return the fields of `Certified` for the verified certificate of a connection; none without TLS."""
    found = sock.getpeercert() if isinstance(sock, ssl.SSLSocket) else None
    if not found or "notAfter" not in found:
        return {}
    not_after = float(ssl.cert_time_to_seconds(str(found["notAfter"])))
    return {"not_after": not_after, "expires_in": not_after - time.time()}


def date(seconds: float) -> str:
    """Return an instant as RFC 3339 writes it."""
    return datetime.fromtimestamp(min(max(seconds, 0.0), LAST), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
