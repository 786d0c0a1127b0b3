"""The file of the history: it is bounded, and the hub keeps working whatever happens to it."""

from __future__ import annotations

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

import pytest

from smoker_hub.history import recorder, store
from smoker_hub.history.reader import HistoryError, Reader
from smoker_hub.history.recorder import WAITING
from smoker_hub.history.store import DAY, NAME, PAGE, Store
from tests.conftest import eventually
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub.history_hand import keeping
from tests.hub.stand_ins import probers

RENEWED = "a new one begins"


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


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + b"\xff" * 5000, b""])
def test_a_corrupt_file_is_one_line_and_a_fresh_one(tmp_path: Path, records: list[str], content: bytes) -> None:
    """At the start an empty file is filled, any other unreadable file is replaced, and the hub keeps working."""
    (tmp_path / NAME).write_bytes(content)
    with probers(mesh().states()) as found, keeping(tmp_path, found) as kept:
        at = kept.look()
        assert len(kept.reader.collected(at).states) == 4
        assert len([line for line in records if RENEWED in line]) == (1 if content else 0)
        assert kept.history.works


def test_a_file_of_another_version_is_replaced(tmp_path: Path, records: list[str]) -> None:
    """A file of a later version is replaced and not interpreted."""
    with sqlite3.connect(tmp_path / NAME) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with probers(mesh().states()) as found, keeping(tmp_path, found) as kept:
        kept.look()
        assert [line for line in records if "version 99" in line]


def test_a_file_that_breaks_in_use_is_replaced(tmp_path: Path, records: list[str]) -> None:
    """The first write that meets the damage begins a new file, and the next look is stored completely."""
    with probers(mesh().states()) as found, keeping(tmp_path, found) as kept:
        kept.look()
        kept.history._thread.call(kept.history._store.close)
        size = kept.history.path.stat().st_size
        kept.history.path.write_bytes(os.urandom(size))
        broken = sqlite3.connect(kept.history.path, isolation_level=None, check_same_thread=False)
        kept.history._store._db = broken
        kept.look(60.0)
        assert len([line for line in records if RENEWED in line]) == 1
        at = kept.look()
        assert len(kept.reader.collected(at).states) == 4
        assert kept.history.counts["began"] == 1


def test_a_full_disk_is_one_line_and_a_fresh_file(tmp_path: Path, records: list[str]) -> None:
    """If SQLite reports a full database or disk, the history begins a new file."""
    with probers(mesh().states()) as found, keeping(tmp_path, found) as kept:
        kept.look()

        def limit(db: sqlite3.Connection) -> None:
            db.execute("PRAGMA max_page_count = 1")  # no less than it has

        def too_much(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO events VALUES (1, 'x', '', ?)", ("x" * 10**6,))

        kept.history._thread.call(kept.history._store.run, [limit])
        kept.history.put(too_much)
        kept.look()
        assert [line for line in records if RENEWED in line and "full" in line]
        at = kept.look()
        assert len(kept.reader.collected(at).states) == 4


def test_without_a_writable_folder_the_hub_keeps_looking(
    tmp_path: Path, records: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one line, and the API says that the history cannot be read. Once there is a place, it is used."""
    monkeypatch.setattr(recorder, "AGAIN", 0.05)
    folder = tmp_path / "gone"
    with probers(mesh().states()) as found, keeping(folder, found) as kept:
        kept.hub.look()
        eventually("it has tried", lambda: [line for line in records if "the history is off" in line])
        kept.hub.look()
        assert not kept.history.works
        assert kept.ask("matrix", f"at={kept.at}")[0] == 503
        assert kept.get("summary")["state"] == "healthy"
        folder.mkdir()
        eventually("it works", lambda: kept.history.works)
        at = kept.look()
        assert len(kept.reader.collected(at).states) == 4
        assert len([line for line in records if "the history is off" in line]) == 1


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
