"""List and watch one collection of the API, for ever and through every failure of the API.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes

The first list comes from the API server's cache (resourceVersion=0), so that a rollout of many probers puts no load on
etcd. The cache ignores the limit and sends everything in one answer. It may be behind: it could return a version that
is already lost. So each later list is a consistent one, in pages.

list ─▶ watch from its version ─▶ events, bookmarks … end of the watch ─▶ watch from the last version
 ▲                                     └─ 410 Gone, or an error instead of an event: that version is lost ─▶ list
 └─ any other failure, and any repetition: a random pause, whose maximum doubles
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

from smoker_kube.api import LARGEST, Api, Refused, TooLarge, lines
from smoker_kube.standing import FORBIDDEN, OK, WAITING, Answering, Standing, sentence, standing_of

PAGE = "100"  # objects in one answer to a list
LASTS = (240, 300)  # seconds after which the API ends a watch; random, so that probers do not reconnect at once
FIRST, LONGEST = 0.5, 30.0  # seconds: the maximum of the first pause, and after many failures
MANY = 6  # failures after which the pause no longer grows
CACHED = 4 * 1024 * 1024  # bytes of a cached list; a larger one is asked for in pages
GONE = 410
KEPT = "probing continues with the last list"

Object = dict[str, Any]
T = TypeVar("T")


class _Gone(Exception):
    """The API no longer has the version from which to continue."""


class _Defect(Exception):
    """An error in our own code. It must not be mistaken for one of the API."""


class Watch(Generic[T]):
    """Calls `changed` with the objects in the collection at `path`, by name, each converted by `keep`.

    `changed` gets the same mapping each time and must read it before it returns. `known` is true after the first list.
    `stale` is the instant (monotonic clock) since which the API has not answered, or None while it answers.
    `standing` says how the API answers. While it fails, the last list stays valid.
    """

    def __init__(
        self,
        api: Api,
        path: str,
        *,
        selector: str = "",
        keep: Callable[[Object], T],
        changed: Callable[[Mapping[str, T]], None],
        what: str = "EndpointSlices",
        meanwhile: str = KEPT,
        alone: bool = True,
        pause: Callable[[float], object] = gevent.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Watch `path`. `what` and `meanwhile`: for the log, the collection, and what happens while it cannot be read.

        `alone`: no other watch of this process logs that the API server does not answer, so this one does.
        `pause` waits for a number of seconds; `clock` returns the instant now.
        """
        self._api, self._path, self._selector, self._keep, self._changed = api, path, selector, keep, changed
        self._what, self._meanwhile, self._pause, self._clock = what, meanwhile, pause, clock
        self._items: dict[str, T] = {}
        self._version = ""  # the version to watch from; empty: list first
        self._failures = 0
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self.known = False
        self.stale: float | None = clock()  # nothing is known yet
        self.standing = WAITING
        self._cached = True  # whether a list may come from the API server's cache
        self._alone = alone
        self._logged: set[str] = set()  # sentences logged since the API last answered

    def start(self) -> None:
        self._greenlet = gevent.spawn(self._run)

    def close(self) -> None:
        """Stop at once, even during a request or a pause."""
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
            except (HTTPError, OSError, ValueError) as broken:
                self._failed(standing_of(broken))
                self._back_off()
            except Exception:
                logger.exception("the watch failed unexpectedly")
                self._version, self._cached = "", False
                self._back_off()

    def _list(self) -> None:
        if self._cached:
            try:
                self._list_from({"resourceVersion": "0"}, CACHED)
                return
            except TooLarge:
                self._cached = False
        self._list_from({}, LARGEST)

    def _list_from(self, version: Mapping[str, str], largest: int) -> None:
        found: dict[str, T] = {}
        asked = {**self._selected(), "limit": PAGE}
        more = {**asked, **version}
        while True:
            page = _mapping(self._api.get(self._path, largest, **more))
            about = _mapping(page.get("metadata"))
            with _raising_defects():
                found |= {_name(item): self._keep(item) for item in page.get("items") or ()}
            if not about.get("resourceVersion"):
                raise ValueError("no list")  # a missing version does not mean an empty list
            if not about.get("continue"):
                break
            more = {**asked, "continue": str(about["continue"])}  # the token contains the version
        self._items, self._version, self.known = found, str(about["resourceVersion"]), True
        self._answered()
        self._tell()

    def _selected(self) -> dict[str, str]:
        return {"labelSelector": self._selector} if self._selector else {}

    def _follow(self) -> None:
        """Follow one watch to its end."""
        asked = {**self._selected(), "watch": "1", "allowWatchBookmarks": "true"}
        asked |= {"resourceVersion": self._version, "timeoutSeconds": str(random.randint(*LASTS))}  # noqa: S311  spread, not secret
        answer = self._api.watch(self._path, **asked)
        try:
            self._answered()
            for line in lines(answer):
                self._event(_mapping(json.loads(line)))
                self._failures = 0  # only an event proves that the watch works
        finally:
            with contextlib.suppress(Exception):
                answer.close()
        self._continue()

    def _event(self, event: Object) -> None:
        kind, item = event.get("type"), _mapping(event.get("object"))
        if kind == "ERROR":  # usually 410; any other error would repeat from the same version
            raise _Gone
        self._version = str(_mapping(item.get("metadata")).get("resourceVersion") or self._version)
        if kind in ("ADDED", "MODIFIED"):
            with _raising_defects():
                self._items[_name(item)] = self._keep(item)
        elif kind == "DELETED":
            self._items.pop(_name(item), None)
        else:  # a bookmark, or an event of a newer API
            return
        self._tell()

    def _tell(self) -> None:
        with _raising_defects():
            self._changed(self._items)

    def _answered(self) -> None:
        if self._logged:
            logger.info("the API server answers again")
            self._logged.clear()
        self.stale, self.standing = None, OK

    def _failed(self, standing: Standing) -> None:
        """Log each sentence once, until the API server answers again."""
        self.stale, self.standing = self._clock() if self.stale is None else self.stale, standing
        line = sentence(standing.answering, standing.status, self._what)
        if not self._alone and standing.answering == Answering.UNANSWERED:
            return
        if line not in self._logged:
            logger.warning(f"{line}; {self._meanwhile}", cause=standing.cause, path=self._path, known=len(self._items))
            self._logged.add(line)

    def _refused(self, refused: Refused) -> None:
        if refused.status == FORBIDDEN:
            self._failures = MANY  # it lasts until somebody corrects the Role
        self._failed(standing_of(refused))
        self._back_off(min(refused.wait or 0.0, LASTS[1]))

    def _lost(self) -> None:
        self._version, self._cached = "", False
        self._continue()

    def _continue(self) -> None:
        """Continue after the normal end of a watch: at once, or after a pause if it repeats."""
        if self._failures:
            self._back_off()
        else:
            self._failures = 1

    def _back_off(self, least: float = 0.0) -> None:
        """Pause for `least` seconds plus a random time whose maximum doubles with each failure."""
        longest = min(FIRST * 2**self._failures, LONGEST)
        self._failures = min(self._failures + 1, MANY)
        self._pause(least + random.uniform(0, longest))  # noqa: S311  spread, not secret


@contextlib.contextmanager
def _raising_defects() -> Iterator[None]:
    """Turn every exception inside into `_Defect`: it is our own error."""
    try:
        yield
    except Exception as defect:
        raise _Defect from defect


def _name(item: Any) -> str:
    return str(_mapping(_mapping(item).get("metadata")).get("name", ""))


def _mapping(value: Any) -> Object:
    return value if isinstance(value, dict) else {}
