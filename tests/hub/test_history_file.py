"""The file of the history: it is bounded, it may be locked or slow, and a writer may be killed at any instant."""

from __future__ import annotations

import gc
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any
from weakref import ref

import pytest

from smoker_hub.history import store
from smoker_hub.history.reader import HistoryError, Reader
from smoker_hub.history.recorder import WAITING
from smoker_hub.history.store import DAY, NAME, PAGE, Store
from tests.conftest import eventually
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub.history_hand import RENEWED, keeping
from tests.hub.stand_ins import go_on, probers


def mesh() -> Cluster:
    return Cluster(nodes(4), host=False, services=False)


def opened(folder: Path, **options: Any) -> Store:
    made = Store(folder, **({"days": 7.0, "mebibytes": 64} | options))
    made.open()
    return made


def events_of(folder: Path) -> list[str]:
    with sqlite3.connect(folder / NAME) as db:
        found = [text for (text,) in db.execute("SELECT text FROM events ORDER BY rowid")]
    db.close()
    return found


def test_another_process_that_writes_is_waited_for(tmp_path: Path, records: list[str]) -> None:
    """A locked file loses nothing and is not replaced."""
    made = opened(tmp_path)
    made.close()
    other = sqlite3.connect(tmp_path / NAME, isolation_level=None)
    with probers(mesh().states()) as found, keeping(tmp_path, found) as kept:
        kept.look()
        kept.history._thread.call(kept.history._store.run, [lambda db: db.execute("SELECT 1") and None])
        other.execute("BEGIN IMMEDIATE")
        kept.history._thread.call(lambda: kept.history._store._db.execute("PRAGMA busy_timeout = 10"))  # type: ignore[union-attr]
        kept.clock.instant += 5.0
        kept.hub.look()
        kept.hub._places.addresses.pop()  # type: ignore[attr-defined]
        kept.hub.look()
        eventually("it waits", lambda: kept.history._jobs)
        other.execute("ROLLBACK")
        other.close()
        kept.written()
        assert "node_left" in {event["kind"] for event in kept.get("events")["events"]}
        assert not [line for line in records if RENEWED in line]


def test_states_are_forgotten_once_they_are_written(tmp_path: Path) -> None:
    """They are most of the hub's memory: after the next look only the newest ones are left."""
    with probers(mesh().states()) as found, keeping(tmp_path, found) as kept:
        kept.look()
        first = [ref(state) for state in kept.hub.collected.states]
        go_on(found, 5.0)
        kept.look()
        gc.collect()
        assert [each for each in first if each() is not None] == []


def test_the_queue_is_bounded(tmp_path: Path, records: list[str]) -> None:
    """If the disk is too slow, the oldest entry is dropped with one line, and the next look is stored completely."""
    with probers(mesh().states()) as found, keeping(tmp_path, found) as kept:
        kept.look()
        for _ in range(WAITING + 5):  # no turn for the writer in between
            kept.history.put(lambda db: None)
        assert kept.history.counts["dropped"] == 5
        assert len([line for line in records if "the oldest entries are dropped" in line]) == 1
        kept.written()
        at = kept.look()
        assert len(kept.reader.collected(at).states) == 4


def test_old_rows_are_deleted_and_the_rest_can_be_rebuilt(tmp_path: Path) -> None:
    """After a week of looks the last two days are left, with the states at their beginning."""
    with probers(mesh().states()) as found, keeping(tmp_path, found, days=2.0) as kept:
        begun = kept.look()
        for _ in range(14):
            at = kept.look(DAY / 2)
        kept.look(60.0)
        with pytest.raises(AssertionError, match="the history begins at"):
            kept.get("matrix", f"at={begun}")
        moment = at - 1.5 * DAY
        assert len(kept.reader.collected(moment).states) == 4
        assert kept.get("events")["events"] == []
        assert (kept.history.size.oldest or 0) >= at - 2.5 * DAY
        assert kept.history.size.bytes > 0


def test_a_file_that_is_nearly_full_loses_its_oldest(tmp_path: Path) -> None:
    """The file never exceeds its limit, and keeps the newest rows."""
    made = opened(tmp_path, mebibytes=1)

    def minute(db: sqlite3.Connection, at: float) -> None:
        db.execute("INSERT INTO looks VALUES (?, x'00')", (at,))
        db.executemany("INSERT INTO events VALUES (?, 'x', '', ?)", [(at, os.urandom(100).hex()) for _ in range(20)])

    for number in range(1000):
        at = number * 60.0
        made.run([partial(minute, at=at), lambda db, at=at: made.prune(db, at) and None])  # type: ignore[misc]
    (size,) = [made.path.stat().st_size]
    assert size <= 1024 * 1024
    texts = events_of(tmp_path)
    assert 20 * 100 < len(texts) < 20 * 1000
    made.close()


WRITER = """
import itertools, sqlite3, sys
from pathlib import Path
from smoker_hub.history.store import Store
made = Store(Path(sys.argv[1]), days=7.0, mebibytes=64)
made.open()
last = made._db.execute("SELECT coalesce(max(at), 0) FROM looks").fetchone()[0]
for number in itertools.count(int(last) + 1):
    def both(db):
        db.execute("INSERT INTO looks VALUES (?, x'00')", (float(number),))
        db.execute("INSERT INTO events VALUES (?, 'x', '', ?)", (float(number), "y" * 3000))
    made.run([both])
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


def test_a_writer_that_is_killed_at_any_instant_starts_again(tmp_path: Path) -> None:
    """After SIGKILL, ten times, the file opens intact with all committed transactions, each complete."""
    chance, written = random.Random(7), 0
    for _ in range(10):
        with subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            until = written + chance.randrange(1, 60)
            while written < until:
                written = int(writer.stdout.readline())
            time.sleep(chance.random() * 0.003)
            writer.send_signal(signal.SIGKILL)
            rest = writer.stdout.read().split()
            written = int(rest[-1]) if rest else written
        with sqlite3.connect(tmp_path / NAME) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            (last, looks) = db.execute("SELECT max(at), count(*) FROM looks").fetchone()
            (events,) = db.execute("SELECT count(*) FROM events").fetchone()
        db.close()
        assert written <= last <= written + 1
        assert looks == events == last
        written = int(last)


def test_a_question_has_a_deadline(tmp_path: Path) -> None:
    """A query that takes too long is cut off with an error."""
    opened(tmp_path).close()
    reader = Reader(tmp_path / NAME, seconds=0.05)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(HistoryError, match=r"no answer within 0\.05 s"):
        reader.ask(lambda db: db.execute(endless).fetchone())


def test_the_bounds_of_the_file_are_pages(tmp_path: Path) -> None:
    """SQLite gets the limits of the setting."""
    made = opened(tmp_path, mebibytes=16)
    assert made._db is not None
    assert made._db.execute("PRAGMA max_page_count").fetchone() == (16 * 1024 * 1024 // PAGE,)
    assert made._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store.FULL > store.ROOMY
    made.close()
