"""Log by loguru, as text or as flat JSON objects, with a limit on the lines that clients can cause.

The fields of a record (`logger.info("connection", client="10.0.0.1:4242")`) follow its message: `client=10.0.0.1:4242`.
A message with fields must be a constant, because loguru formats it. Unprintable characters are escaped in every line,
so that a client can neither forge a line nor move a terminal's cursor.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TextIO

import gevent
from loguru import logger

from smoker_common.listen import endpoint

if TYPE_CHECKING:
    from loguru import Record

Fields = Callable[[], dict[str, Any]]

RESULT = "result"  # the field that marks a result line; it holds `Fields`, which returns the fields of the JSON line
TIME = "YYYY-MM-DD HH:mm:ss"
GOES_ON = "  "  # begins a line that goes on with the one before; as text it has no fields: it may end with a command


def configure(
    level: str,
    form: str,
    *,
    results: TextIO | None = None,
    results_level: str = "",
    fields: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Send log lines to stderr and, if `results` is given, result lines to it. Remove all other outputs.

    Result lines are written from `results_level` on. Its default is `level`, but at most ERROR, so that failures are
    always written. `fields` are in every line, except result lines as text, whose form is a promise.
    """
    logger.remove()
    logger.configure(patcher=partial(_complete, fields=fields))
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
    r"""Return `text` with each unprintable character as an escape such as `\n` or `\x1b`."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _complete(record: Record, *, fields: Mapping[str, str]) -> None:
    record["message"] = escaped(record["message"])
    record["extra"].update(fields)


def _is_result(record: Record) -> bool:
    return RESULT in record["extra"]


def _is_log(record: Record) -> bool:
    return RESULT not in record["extra"]


def _colour(stream: TextIO) -> bool:
    """Return whether to colour `stream`: as NO_COLOR or FORCE_COLOR say, else if it is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def _text(record: Record) -> str:
    if RESULT in record["extra"]:
        return "<level>{message}</level>\n"
    fields = "".join(f" {key}={_word(value)}" for key, value in record["extra"].items() if not key.startswith("_"))
    record["extra"]["_fields"] = "" if record["message"].startswith(GOES_ON) else fields
    return "<dim>[{time:" + TIME + "}]</dim> [<level>{level}</level>] {message}{extra[_fields]}\n{exception}"


def _json(record: Record) -> str:
    line: dict[str, Any] = {"time": record["time"].isoformat(timespec="milliseconds"), "level": record["level"].name}
    extra = record["extra"]
    line |= extra[RESULT]() if RESULT in extra else {"message": record["message"]}
    line |= {key: value for key, value in extra.items() if key != RESULT and not key.startswith("_")}
    if (error := record["exception"]) is not None:
        line["exception"] = f"{error.type.__name__ if error.type else ''}: {error.value}"
    record["extra"]["_json"] = json.dumps(line, default=str)
    return "{extra[_json]}\n"


def _word(value: object) -> str:
    word = escaped(str(value))
    return json.dumps(word, ensure_ascii=False) if not word or set(word) & set(' "=') else word


_request_logs: list[RequestLog] = []


def sum_up() -> None:
    """Write the sums that are not written yet. A service calls this before it exits."""
    for each in _request_logs:
        each.sum_up()


class RequestLog:
    """Logs up to `rate` successes and `rate` errors per second, one line each, and sums up the rest.

    A line costs about 20 µs, three times as much as the echo of a datagram. Without the limit, logging would dominate.
    Every echo server calls it for every datagram, so an event without a line must cost almost nothing.
    """

    def __init__(self, message: str, what: str, rate: int) -> None:
        """`message` is the message of each line. `what` names the events in the plural, for the sum."""
        self._message, self._what, self._rate = message, what, rate
        self._left = {False: rate, True: rate}  # lines left in this second, for successes and for errors
        self._counting = False  # whether the current second has begun
        self._more, self._received, self._sent, self._errors = 0, 0, 0, 0
        self._cause = ""
        _request_logs.append(self)

    def __call__(
        self, client: tuple[Any, ...], received: int, sent: int, error: str = "", fields: Fields | None = None
    ) -> None:
        """Log one event. `fields` is called only if the line is written; `error` is empty on success."""
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
        """Write the sum of the events since the last sum, if there were any."""
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
