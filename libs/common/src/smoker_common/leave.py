"""SIGTERM and SIGINT before a program has an event loop: end at once, without a word.

The kernel drops a signal that PID 1 of a container has no handler for, so without this a pod that is deleted while its
program starts would wait for its whole grace period. It imports almost nothing, so that it can come first.
"""

from __future__ import annotations

import os
import signal

OK = 0
TERMINATED, INTERRUPTED = 128 + signal.SIGTERM, 128 + signal.SIGINT  # exit codes, as a shell reports these signals


def leave_on_signals(*, serves: bool) -> None:
    """Exit on SIGTERM and SIGINT: with 0 if the program `serves` until it is stopped, else with 128 + the signal."""
    for number, code in ((signal.SIGTERM, TERMINATED), (signal.SIGINT, INTERRUPTED)):
        signal.signal(number, lambda *_, code=OK if serves else code: os._exit(code))
