"""Logging, by loguru: a line a person reads, or a flat JSON object, and a limit on what clients can make us write.

The fields of a record (`logger.info("connection", client="10.0.0.1:4242")`) follow its message: `client=10.0.0.1:4242`.
A message that comes with fields must be a constant, for loguru formats it. Whatever cannot be printed is escaped, in
one place, for every line: nothing a client sends can forge a line or move a terminal's cursor.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

import gevent
from loguru import logger

from smoker_common.listen import endpoint

if TYPE_CHECKING:
    from loguru import Record

Fields = Callable[[], dict[str, Any]]

RESULT = "result"  # the field of a record that is a line of results: `Fields`, what its JSON line holds
TIME = "YYYY-MM-DD HH:mm:ss"


def configure(level: str, form: str, *, results: TextIO | None = None, results_level: str = "") -> None:
    """Send log lines to stderr and, if `results` is given, result lines there; nothing else logs anywhere.

    Results are written from `results_level` on, which is `level` where it is not given but ERROR at the most: a failure
    is never silenced.
    """
    logger.remove()
    logger.configure(patcher=_escape)
    layout = _json if form == "json" else _text
    least = results_level or ("ERROR" if level == "CRITICAL" else level)
    for stream, wanted, from_level in ((sys.stderr, _is_log, level), (results, _is_result, least)):
        if stream is not None:
            colour = _colour(stream)
            options: dict[str, Any] = {
                "backtrace": False,
                "diagnose": False,
            }  # diagnose would print values of variables
            logger.add(stream, level=from_level, format=layout, colorize=colour, filter=wanted, **options)


def escaped(text: str) -> str:
    r"""`text` with each character that cannot be printed as an escape such as `\n` or `\x1b`."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _escape(record: Record) -> None:
    record["message"] = escaped(record["message"])


def _is_result(record: Record) -> bool:
    return RESULT in record["extra"]


def _is_log(record: Record) -> bool:
    return RESULT not in record["extra"]


def _colour(stream: TextIO) -> bool:
    """FORCE_COLOR and NO_COLOR are the custom of terminal programs; without them, a terminal gets colour."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def _text(record: Record) -> str:
    if RESULT in record["extra"]:
        return "<level>{message}</level>\n"
    fields = "".join(f" {key}={_word(value)}" for key, value in record["extra"].items() if not key.startswith("_"))
    record["extra"]["_fields"] = fields
    return "<dim>[{time:" + TIME + "}]</dim> [<level>{level}</level>] {message}{extra[_fields]}\n{exception}"


def _json(record: Record) -> str:
    line: dict[str, Any] = {"time": record["time"].isoformat(timespec="milliseconds"), "level": record["level"].name}
    if RESULT in record["extra"]:
        line |= record["extra"][RESULT]()
    else:
        line |= {"message": record["message"]}
        line |= {key: value for key, value in record["extra"].items() if not key.startswith("_")}
    if (error := record["exception"]) is not None:
        line["exception"] = f"{error.type.__name__ if error.type else ''}: {error.value}"
    record["extra"]["_json"] = json.dumps(line, default=str)
    return "{extra[_json]}\n"


def _word(value: object) -> str:
    word = escaped(str(value))
    return json.dumps(word, ensure_ascii=False) if not word or set(word) & set(' "=') else word


_request_logs: list[RequestLog] = []


def sum_up() -> None:
    """Write what is counted and not written yet: a service's last words."""
    for each in _request_logs:
        each.sum_up()


class RequestLog:
    """Logs what clients do, a line each, up to `rate` successes and `rate` errors a second; the rest as a sum.

    A line costs some 20 µs, an echo of a datagram a third of it: without the limit the log would be the work. It is an
    observer of every echo server, and called for every datagram: what is not logged must cost next to nothing.
    """

    def __init__(self, message: str, what: str, rate: int) -> None:
        """`message` is the line's, `what` names the events in the plural, as the sum needs it."""
        self._message, self._what, self._rate = message, what, rate
        self._left = {False: rate, True: rate}  # lines that this second still has, for what went well and for errors
        self._counting = False  # whether a second is under way
        self._more, self._received, self._sent, self._errors = 0, 0, 0, 0
        self._cause = ""
        _request_logs.append(self)

    def __call__(
        self, client: tuple[Any, ...], received: int, sent: int, error: str = "", fields: Fields | None = None
    ) -> None:
        """Log one event. `fields` is asked only for a line that is written; `error` is empty when all went well."""
        if self._left[bool(error)]:
            self._left[bool(error)] -= 1
            record = {"client": endpoint(client)} | (fields() if fields else {}) | {"received": received, "sent": sent}
            logger.log("WARNING" if error else "INFO", self._message, **record, **({"error": error} if error else {}))
        else:
            self._more += 1
            self._received += received
            self._sent += sent
            if error:
                self._errors += 1
                self._cause = error
        if not self._counting:
            self._counting = True
            gevent.spawn_later(1.0, self._next_second)

    def _next_second(self) -> None:
        self._counting, self._left = False, {False: self._rate, True: self._rate}
        self.sum_up()

    def sum_up(self) -> None:
        """Write the sum of what was counted since the last one, if anything was."""
        if self._more:
            last = {"last_error": self._cause} if self._errors else {}
            logger.log(
                "WARNING" if self._errors else "INFO",
                f"{self._more} more {self._what}",
                received=self._received,
                sent=self._sent,
                errors=self._errors,
                **last,
            )
        self._more = self._received = self._sent = self._errors = 0
