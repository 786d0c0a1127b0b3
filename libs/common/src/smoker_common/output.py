"""Write stdout and stderr by one queue and one thread each, so that the event loop never waits for a reader.

write ─▶ queue of at most LIMIT bytes ─▶ thread ─▶ descriptor

- A service never waits. If nobody reads, or the disk is full, the oldest lines are dropped and counted
  (smoker_log_dropped_lines_total). When the stream flows again, one line says how many.
- A command waits until its answer on stdout is written, as other programs do. The event loop runs on and handles
  signals meanwhile. The command waits at most PATIENCE seconds for stderr. A closed pipe on stdout ends it as SIGPIPE
  would (exit code 141). Any other error on stdout ends it with one sentence on stderr and exit code 2.
- At exit, a process waits at most PATIENCE seconds for queued lines.

The descriptors stay in blocking mode: O_NONBLOCK would hold for every process that shares the pipe or the terminal.
"""

from __future__ import annotations

import atexit
import errno
import io
import os
import select
import sys
import time
from collections import deque
from typing import TextIO, cast

import gevent
from gevent import monkey
from loguru import logger

LIMIT = 1 << 20  # bytes queued for one stream
BATCH = select.PIPE_BUF  # bytes in one write: the kernel keeps them together if another process writes, too (pipe(7))
PATIENCE = 2.0  # seconds
AGAIN = 1.0  # seconds between two checks of whether a stream flows again
BROKEN_PIPE = 128 + 13  # exit code, as a shell reports SIGPIPE
UNWRITTEN = 2  # exit code

_start_thread = monkey.get_original("_thread", "start_new_thread")
_thread_id = monkey.get_original("_thread", "get_ident")
_lock = monkey.get_original("_thread", "allocate_lock")
_rlock = monkey.get_original("_thread", "RLock")
_poll = monkey.get_original("select", "poll")
_sleep = monkey.get_original("time", "sleep")


class NonBlockingStream(io.TextIOBase):
    """A stream that a thread writes. It replaces sys.stdout or sys.stderr."""

    def __init__(
        self, name: str, descriptor: int, *, program: str = "", encoding: str = "utf-8", patience: float = 0.0
    ) -> None:
        """Make callers of `write` wait at most `patience` seconds for their text; with 0, drop lines instead.

        `program` is the first word of the error message when stdout cannot be written.
        """
        self.name = name
        self.waits = bool(patience)
        self.error: OSError | None = None  # of the last write
        self._descriptor, self._program, self._encoding, self._patience = descriptor, program, encoding, patience
        # A destructor may print while we hold the lock, in the same thread.
        self._guard, self._wake = _rlock(), _lock()
        self._wake.acquire()
        self._home, self._running = _thread_id(), False
        self._partial = ""  # a line without its end
        self._queue: deque[bytes] = deque()  # whole lines
        self._queued = 0  # bytes in it
        self._writing = False  # whether the thread has some
        self._torn = b""  # the rest of a line that a full disk cut
        self._written = self._seen = 0  # writes so far, and at the last check
        self.dropped = self._reported = 0  # lines dropped, and how many of them were logged
        self._reporting = self._stalled = False

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        try:
            return os.isatty(self._descriptor)
        except OSError:
            return False

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        """Do nothing: the thread writes at once."""

    @property
    def idle(self) -> bool:
        """Return whether every line was written or dropped."""
        with self._guard:
            return not self._queue and not self._writing

    def write(self, text: str) -> int:
        """Queue the complete lines of `text`. Raises `SystemExit` if a command's stdout cannot be written."""
        with self._guard:
            whole, newline, self._partial = (self._partial + text).rpartition("\n")
            if newline:
                self._put((whole + newline).encode(self._encoding, "backslashreplace"))
        if newline and _thread_id() == self._home:
            if self.waits:
                self._wait()
            elif self.dropped > self._reported and not self._reporting:
                self._reporting, self._seen = True, self._written
                gevent.spawn_later(AGAIN, self._tell)
        return len(text)

    def finish(self, until: float) -> None:
        """Wait until all is written, or until the instant `until` of the monotonic clock. Blocks the event loop."""
        with self._guard:
            if self._partial:
                self._put(self._partial.encode(self._encoding, "backslashreplace"))
                self._partial = ""
        while not self.idle and time.monotonic() < until:
            _sleep(0.001)

    def _put(self, lines: bytes) -> None:
        self._queue.append(lines)
        self._queued += len(lines)
        while self._queued > LIMIT and len(self._queue) > 1:
            oldest = self._queue.popleft()
            self._queued -= len(oldest)
            self.dropped += oldest.count(b"\n")
        if not self._running:
            self._running = True
            _start_thread(self._run, ())
        if self._wake.locked():
            self._wake.release()

    def _wait(self) -> None:
        """Wait until all is written, while other greenlets run."""
        if gevent.getcurrent() is gevent.get_hub():  # it cannot wait
            return
        pause, until = 0.0005, time.monotonic() + (0.0 if self._stalled else self._patience)
        while not (idle := self.idle) and time.monotonic() < until:
            gevent.sleep(pause)
            pause = min(2 * pause, 0.05)
        self._stalled = not idle
        if self.error is not None and self._patience == float("inf"):
            self._give_up(self.error)

    def _give_up(self, error: OSError) -> None:
        self.waits = False  # output during the exit must not wait
        if error.errno == errno.EPIPE:
            raise SystemExit(BROKEN_PIPE)
        sys.stderr.write(f"{self._program}: cannot write to {self.name}: {_reason(error)}.\n")
        raise SystemExit(UNWRITTEN)

    def _tell(self) -> None:
        """Log how many lines were dropped, once the stream flows."""
        flows = self.error is None and (self.idle or self._written != self._seen)
        self._seen = self._written
        if not flows:
            gevent.spawn_later(AGAIN, self._tell)
            return
        self._reporting = False
        self.report_dropped()

    def report_dropped(self) -> None:
        """Log how many lines were dropped since the last report, if there were any."""
        lines, self._reported = self.dropped - self._reported, self.dropped
        if lines:
            logger.warning(f"{lines} lines of {self.name} were dropped: it had no reader, or could not be written")

    def _run(self) -> None:
        """Write queued lines for ever. The thread runs this."""
        while True:
            self._wake.acquire()
            while lines := self._take():
                self._deliver(lines)

    def _take(self) -> bytes:
        """Return the next lines: at most BATCH bytes, or one larger entry; empty if no lines wait."""
        with self._guard:
            taken: list[bytes] = []
            size = 0
            while self._queue and (not taken or size + len(self._queue[0]) <= BATCH):
                taken.append(self._queue.popleft())
                size += len(taken[-1])
            self._queued -= size
            self._writing = bool(taken)
        return b"".join(taken)

    def _deliver(self, lines: bytes) -> None:
        whole = left = self._torn + lines
        try:
            while left:
                try:
                    left = left[os.write(self._descriptor, left) :]
                except BlockingIOError:  # another process has set O_NONBLOCK
                    poll = _poll()
                    poll.register(self._descriptor, select.POLLOUT)
                    poll.poll()
        except OSError as error:
            sent = whole[: len(whole) - len(left)]
            within_a_line = not sent.endswith(b"\n") if sent else bool(self._torn)
            torn, newline, lost = left.partition(b"\n") if within_a_line else (b"", b"", left)
            self._torn = torn + newline
            with self._guard:
                self.dropped += lost.count(b"\n")
                self.error = error
        else:
            self._torn, self.error = b"", None
            self._written += 1


def _reason(error: OSError) -> str:
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


outlets: list[NonBlockingStream] = []  # of this process; empty until `capture_output`


def capture_output(program: str) -> None:
    """Send all output of this process through outlets: its own lines, tracebacks, and output of libraries.

    Until `never_block` is called, the process counts as a command, which waits for its output.
    """
    for name, stream, patience in (("stdout", sys.stdout, float("inf")), ("stderr", sys.stderr, PATIENCE)):
        # If the stream was closed before the start, a socket may use its descriptor now.
        descriptor = -1 if stream is None else stream.fileno()
        encoding = "utf-8" if stream is None else stream.encoding
        outlet = NonBlockingStream(name, descriptor, program=program, encoding=encoding, patience=patience)
        setattr(sys, name, cast(TextIO, outlet))
        outlets.append(outlet)
    atexit.register(_finish)


def never_block() -> None:
    """Never block from now on, as a service must: drop lines that have no reader."""
    for outlet in outlets:
        outlet.waits = False


def tell_dropped() -> None:
    """Log the dropped lines that were not reported yet. A service calls this before it exits."""
    for outlet in outlets:
        outlet.report_dropped()


def dropped() -> dict[str, int]:
    """Return the number of dropped lines by stream."""
    return {"stdout": 0, "stderr": 0} | {outlet.name: outlet.dropped for outlet in outlets}


def _finish() -> None:
    until = time.monotonic() + PATIENCE
    for outlet in outlets:
        outlet.finish(until)
