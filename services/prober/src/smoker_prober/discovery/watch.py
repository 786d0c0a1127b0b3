"""List and watch of one collection, for ever: what it holds now, whatever the API does meanwhile.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes

list ─▶ watch from its version ─▶ events, bookmarks … end of the watch ─▶ watch from the last version
 ▲                                     └─ 410 Gone, or an error instead of an event: that version is lost ─▶ list
 └─ anything else that fails, and what repeats: a pause that doubles, a random part of it
"""

from __future__ import annotations

import contextlib
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import gevent
from loguru import logger
from urllib3.exceptions import HTTPError

from smoker_prober.discovery.api import Api, Refused, lines
from smoker_prober.failure import reason

PAGE = "100"  # objects in one answer to a list
LASTS = (240, 300)  # seconds after which the API ends a watch, at random: not all probers' at once
FIRST, LONGEST = 0.5, 30.0  # seconds of a pause at most, at first and after many failures
MANY = 6  # failures after which a pause is as long as it gets
GONE, FORBIDDEN = 410, 403
SILENT = "the API server does not answer; probing goes on with the last list"
REFUSING = "the API server refuses to answer; probing goes on with the last list"
BARRED = "this pod's account may not list and watch what it must know; the Role that allows it is missing or not bound"

Object = dict[str, Any]
T = TypeVar("T")


class _Gone(Exception):
    """The version to go on from is lost."""


class _Defect(Exception):
    """Ours, whatever its kind: not to be taken for the API's."""


class Watch(Generic[T]):
    """Tells `changed` what is in the collection at `path`, by name: of each object what `keep` makes of it.

    `changed` is given the same mapping each time, and reads it before it returns. `known`: whether there was a list.
    `stale` is the instant (of the monotonic clock) since which the API has not answered, None while it does. The last
    list holds meanwhile.
    """

    def __init__(
        self,
        api: Api,
        path: str,
        *,
        selector: str,
        keep: Callable[[Object], T],
        changed: Callable[[Mapping[str, T]], None],
        pause: Callable[[float], object] = gevent.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`pause` waits for so many seconds; `clock` says the instant now."""
        self._api, self._path, self._selector, self._keep, self._changed = api, path, selector, keep, changed
        self._pause, self._clock = pause, clock
        self._items: dict[str, T] = {}
        self._version = ""  # to watch from; empty: to be listed
        self._failures = 0
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self.known = False
        self.stale: float | None = clock()  # nothing is known yet
        self._told: set[bool] = set()  # whether what was logged since it last answered was of the Role

    def start(self) -> None:
        self._greenlet = gevent.spawn(self._run)

    def close(self) -> None:
        """End it, in the middle of whatever it waits for."""
        if self._greenlet is not None:
            self._greenlet.kill(block=False)

    def _run(self) -> None:
        while True:
            try:
                if not self._version:
                    self._list()
                self._follow()
            except _Gone:
                self._lost()
            except Refused as refused:
                if refused.status == GONE:
                    self._lost()
                else:
                    self._refused(refused)
            except (HTTPError, OSError) as broken:
                self._unanswered(SILENT, reason(broken, ""))
                self._back_off()
            except ValueError:
                self._unanswered(SILENT, "what it sent is not what the Kubernetes API sends")
                self._back_off()
            except Exception:
                logger.exception("the watch failed in a way it should not")
                self._version = ""
                self._back_off()

    def _list(self) -> None:
        found: dict[str, T] = {}
        more = {"labelSelector": self._selector, "limit": PAGE}
        while True:
            page = _mapping(self._api.get(self._path, **more))
            about = _mapping(page.get("metadata"))
            with _ours():
                found |= {_name(item): self._keep(item) for item in page.get("items") or ()}
            if not about.get("resourceVersion"):
                raise ValueError("no list")  # so it is not an empty one, either
            if not about.get("continue"):
                break
            more["continue"] = str(about["continue"])
        self._items, self._version, self.known = found, str(about["resourceVersion"]), True
        self._answered()
        self._tell()

    def _follow(self) -> None:
        """One watch, to its end."""
        asked = {"labelSelector": self._selector, "watch": "1", "allowWatchBookmarks": "true"}
        asked |= {"resourceVersion": self._version, "timeoutSeconds": str(random.randint(*LASTS))}  # noqa: S311  spread, not secret
        answer = self._api.watch(self._path, **asked)
        try:
            self._answered()
            for line in lines(answer):
                self._event(_mapping(json.loads(line)))
                self._failures = 0  # only now: a list or a watch that says nothing is no reason to ask without a pause
        finally:
            with contextlib.suppress(Exception):
                answer.close()
        self._go_on()

    def _event(self, event: Object) -> None:
        kind, item = event.get("type"), _mapping(event.get("object"))
        if kind == "ERROR":  # 410 as a rule; any other would come again from the same version
            raise _Gone
        self._version = str(_mapping(item.get("metadata")).get("resourceVersion") or self._version)
        if kind in ("ADDED", "MODIFIED"):
            with _ours():
                self._items[_name(item)] = self._keep(item)
        elif kind == "DELETED":
            self._items.pop(_name(item), None)
        else:  # a bookmark, or something newer than this
            return
        self._tell()

    def _tell(self) -> None:
        with _ours():
            self._changed(self._items)

    def _answered(self) -> None:
        if self._told:
            logger.info("the API server answers again")
            self._told.clear()
        self.stale = None

    def _unanswered(self, message: str, cause: str) -> None:
        """Say so once, until it answers again; that the Role is missing is another matter than an outage."""
        self.stale = self._clock() if self.stale is None else self.stale
        if (message is BARRED) not in self._told:
            logger.warning(message, cause=cause, path=self._path, known=len(self._items))
            self._told.add(message is BARRED)

    def _refused(self, refused: Refused) -> None:
        if refused.status == FORBIDDEN:
            self._failures = MANY  # until somebody mends it
        self._unanswered(BARRED if refused.status == FORBIDDEN else REFUSING, str(refused))
        self._back_off(min(refused.wait or 0.0, LASTS[1]))

    def _lost(self) -> None:
        self._version = ""
        self._go_on()

    def _go_on(self) -> None:
        """After what is part of the game: at once, unless it repeats."""
        if self._failures:
            self._back_off()
        else:
            self._failures = 1

    def _back_off(self, least: float = 0.0) -> None:
        """A pause of `least` seconds and a random part of what the failures before have come to."""
        longest = min(FIRST * 2**self._failures, LONGEST)
        self._failures = min(self._failures + 1, MANY)
        self._pause(least + random.uniform(0, longest))  # noqa: S311  spread, not secret


@contextlib.contextmanager
def _ours() -> Iterator[None]:
    """What fails inside does so by our own fault."""
    try:
        yield
    except Exception as defect:
        raise _Defect from defect


def _name(item: Any) -> str:
    return str(_mapping(_mapping(item).get("metadata")).get("name", ""))


def _mapping(value: Any) -> Object:
    return value if isinstance(value, dict) else {}
