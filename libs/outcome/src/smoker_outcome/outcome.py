"""How a probe or a request ended: a closed set of words."""

from __future__ import annotations

import enum


class Outcome(enum.StrEnum):
    """How a probe ended. The words are promises: they stand in log lines and in metric labels."""

    SUCCESS = "success"
    TIMEOUT = "timeout"  # no answer before the deadline
    REFUSED = "refused"  # RST to a SYN, ICMP port unreachable
    UNREACHABLE = "unreachable"  # no route, ICMP host or network unreachable, prohibited
    RESET = "reset"  # RST in the middle of a connection
    RESOLVE_ERROR = "resolve_error"  # the name has no address, or its servers did not answer
    TLS_ERROR = "tls_error"
    MTU = "mtu"  # small packets are answered, large ones that the way should take are lost
    BAD_REPLY = "bad_reply"  # an answer, but not the one that was owed
    LOCAL_ERROR = "local_error"  # ours: no descriptor, no port, a defect; never counts as loss

    @property
    def ok(self) -> bool:
        return self is Outcome.SUCCESS
