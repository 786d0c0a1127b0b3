"""gevent's StreamServer that lives through a shortage of descriptors: one line when it begins, one when it ends."""

from __future__ import annotations

import errno
from typing import Any

import gevent
from gevent.server import StreamServer
from loguru import logger

from smoker_common.listen import endpoint

SHORTAGE = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
PAUSE = 0.1  # seconds without accepting while there is a shortage; the clients wait in the backlog
MAX_ACCEPT = 100  # connections accepted before those that are open get a turn


class Acceptor(StreamServer):
    """A StreamServer whose subclasses make of an accepted descriptor what they want, in `do_read`."""

    max_accept = MAX_ACCEPT
    accepted = 0  # connections so far
    _short = False

    def accept(self) -> tuple[int, tuple[Any, ...]] | None:
        """Descriptor and address of the next client; None if there is none now."""
        try:
            accepted: tuple[int, tuple[Any, ...]] = self.socket._accept()  # type: ignore[attr-defined]  # noqa: SLF001
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno in SHORTAGE:
                self._wait_out(error)
            return None  # otherwise: the client went away while it waited (accept(2), "Error handling")
        if self._short:
            self._short = False
            logger.info("accepting connections again", address=_name(self.address))
        self.accepted += 1
        return accepted

    def _wait_out(self, error: OSError) -> None:
        if not self._short:
            self._short = True
            logger.error("no connection can be accepted for now", address=_name(self.address), error=error.strerror)
        self.stop_accepting()
        gevent.spawn_later(PAUSE, self._resume)

    def _resume(self) -> None:
        if self.started:
            self.start_accepting()

    def retire(self) -> None:
        """Nothing: it begins nothing of its own."""

    def unready(self) -> str:
        """Why it does not serve, or an empty string."""
        return "" if self.started else "not listening"

    def stuck(self) -> str:
        """Never: an event loop that answers turns."""
        return ""


def _name(address: str | tuple[Any, ...]) -> str:
    return endpoint(address) if isinstance(address, tuple) else address
