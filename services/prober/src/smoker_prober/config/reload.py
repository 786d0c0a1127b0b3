"""Applies a changed plan while the prober runs: whole, or not at all.

It looks at the file once a second, because the kubelet replaces a ConfigMap by pointing a link elsewhere, and at once
on SIGHUP. It reads the content where stat(2), an eighth of the cost, shows another file or another write. A plan
with a mistake leaves the old one in force: one line says all that is wrong, and the metric
smoker_config_last_reload_successful is 0 until the file is right again.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import gevent
from gevent.event import Event
from loguru import logger
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from smoker_common.metrics import counter, gauge
from smoker_common.work import BaseWork
from smoker_prober.config.load import Loaded, content_of, load
from smoker_prober.config.plan import Plan, differences

EVERY = 1.0  # seconds between two looks at the file
SHOWN = 20  # mistakes in a line
SUCCESS, FAILURE = "success", "failure"

Mark = tuple[int, ...]  # of a file, by stat(2)


class Reload(BaseWork, Collector):
    """Calls `apply` with the plan of `file` when it changes. Without a file it does nothing but take SIGHUP."""

    def __init__(
        self,
        file: str,
        begun: Loaded,
        apply: Callable[[Plan], None],
        registry: CollectorRegistry,
        *,
        environ: Mapping[str, str] = os.environ,
        every: float = EVERY,
    ) -> None:
        """`begun` is the plan that is in force, as it was loaded."""
        self._file, self._apply, self._environ, self._every = file, apply, environ, every
        self._plan: Plan | None = begun.plan  # that is in force; None after an error in the middle of a change
        self._found: bytes | str = begun.content  # the content that was last judged, or why it could not be read
        self._judged: Mark | None = None  # the file that it was read from
        self._seen: Mark | None = None  # the file at the last look
        self._asked, self._closed = Event(), False
        self._successful, self._succeeded = True, time.time()
        self._counts = {SUCCESS: 0, FAILURE: 0}
        self._greenlet: gevent.Greenlet[[], None] | None = None
        if file:
            registry.register(self)

    def start(self) -> None:
        """Begin to look."""
        gevent.signal_handler(signal.SIGHUP, self.ask)
        if self._file:
            self._greenlet = gevent.spawn(self._run)

    def ask(self) -> None:
        """Read the file now, even if it is the same."""
        if not self._file:
            logger.warning("SIGHUP: there is no file to read again; CONFIG_FILE names one")
        self._asked.set()

    def _run(self) -> None:
        while not self._closed:
            asked = self._asked.wait(self._every)
            self._asked.clear()
            try:
                self.look(asked=asked)
            except Exception:
                logger.exception("the plan cannot be applied; it is tried again when it changes")
                self._plan = None
                self._count(FAILURE)

    def look(self, *, asked: bool = False) -> None:
        """Apply the file's plan if its content has changed, or if somebody `asked` for it.

        A change counts at the second look that finds it: at the first one a program may be writing the file.
        """
        mark = self._mark()
        settled, self._seen = mark == self._seen, mark
        if not asked and (mark == self._judged or not settled):
            return
        found = self._read()
        same, self._judged, self._found = found == self._found, mark, found
        if same and not asked:
            return
        if isinstance(found, str):
            self._refuse([f"{self._file}: {found}"])
            return
        # In a thread: a thousand targets take half a second, and the probes go on.
        loaded = gevent.get_hub().threadpool.apply(load, (self._environ, self._file, found))
        if self._closed:
            return
        if loaded.problems:
            self._refuse(loaded.problems)
            return
        changed = differences(self._plan, loaded.plan) if self._plan is not None else ["all"]
        if changed:
            self._apply(loaded.plan)
            self._plan = loaded.plan
        self._count(SUCCESS)
        logger.info("plan loaded", file=self._file, changed=",".join(changed) or "nothing")

    def _mark(self) -> Mark:
        """Return what changes with each write to the file, and with another file in its place."""
        try:
            found = os.stat(self._file)
        except OSError as error:
            return (error.errno or 0,)
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def _read(self) -> bytes | str:
        """Return the content of the file, or why it cannot be read."""
        try:
            return content_of(Path(self._file))
        except OSError as error:
            return (error.strerror or str(error)).lower()

    def _refuse(self, problems: list[str] | tuple[str, ...]) -> None:
        more = len(problems) - SHOWN
        shown = "; ".join(problems[:SHOWN]) + (f"; and {more} more" if more > 0 else "")
        logger.error("the plan is not changed, because the file is wrong: {}", shown)
        self._count(FAILURE)

    def _count(self, result: str) -> None:
        self._counts[result] += 1
        self._successful = result == SUCCESS
        if self._successful:
            self._succeeded = time.time()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of the reloads."""
        what = "Whether the plan in force is that of the file"
        yield gauge("smoker_config_last_reload_successful", what, [({}, int(self._successful))])
        what = "When a plan of the file was last taken"
        yield gauge("smoker_config_last_reload_success_timestamp_seconds", what, [({}, round(self._succeeded, 3))])
        counts = [({"result": result}, count) for result, count in self._counts.items()]
        yield counter("smoker_config_reloads_total", "Changes of the file that were read", counts)

    def retire(self) -> None:
        """Look no more."""
        self._closed = True
        if self._greenlet is not None:
            self._greenlet.kill(block=False)
