"""The outcomes of a probe or a request: a closed set of words."""

from __future__ import annotations

import enum


class Outcome(enum.StrEnum):
    """How a probe ended. The words are promises: log lines and metric labels contain them."""

    SUCCESS = "success"
    TIMEOUT = "timeout"  # no answer before the deadline
    REFUSED = "refused"  # RST to a SYN, ICMP port unreachable
    UNREACHABLE = "unreachable"  # no route, ICMP host or network unreachable, prohibited
    RESET = "reset"  # RST in the middle of a connection
    RESOLVE_ERROR = "resolve_error"  # the name has no address, or its servers did not answer
    TLS_ERROR = "tls_error"
    MTU = "mtu"  # small packets are answered, large ones that should fit the path are lost
    BAD_REPLY = "bad_reply"  # an answer, but not the expected one
    LOCAL_ERROR = "local_error"  # a fault of the prober itself: no descriptor, no port, a defect; never counts as loss

    @property
    def ok(self) -> bool:
        return self is Outcome.SUCCESS
