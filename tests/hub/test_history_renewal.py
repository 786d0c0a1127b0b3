"""A new file of the history: in place of one that is corrupt or full, with all that the next look has."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest

from smoker_hub.history import recorder
from smoker_hub.history.recall import recall
from smoker_hub.history.recorder import WAITING
from smoker_hub.history.store import NAME
from tests.conftest import eventually
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub import stand_ins
from tests.hub.history_hand import RENEWED, keeping
from tests.hub.stand_ins import probers
from tests.hub.test_hub import become


def mesh() -> Cluster:
    return Cluster(nodes(4), host=False, services=False)


def dead() -> Cluster:
    return mesh().fail(lambda link: link.touches("node-2"))


def outages(folder: Path) -> list[tuple[float, float | None]]:
    """Return the dates of each stored outage."""
    with contextlib.closing(sqlite3.connect(folder / NAME)) as db:
        return db.execute("SELECT opened, closed FROM findings ORDER BY opened").fetchall()


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
    """The first write that meets the damage begins a new file. The next look is stored completely, with what is open.

    A hub that starts again continues that finding.
    """
    with probers(dead().states()) as found, keeping(tmp_path, found) as kept:
        kept.look()
        kept.look()
        (opened,) = kept.get("findings")["open"]
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
        (stored,) = kept.get("findings", f"at={at}")["open"]
        assert (stored["id"], stored["opened"]) == (opened["id"], opened["opened"])
        recalled = recall(kept.reader, kept.clock)
        assert [(each.id, each.opened_date) for each in recalled.open] == [(opened["id"], opened["opened"])]


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


def test_a_finding_whose_close_was_dropped_closes(tmp_path: Path) -> None:
    """If the disk is too slow for its close, the finding closes with the next look that is stored completely."""
    with probers(dead().states()) as found, keeping(tmp_path, found) as kept:
        kept.look()
        kept.look()
        become(found, mesh())
        kept.look()
        kept.look()
        kept.hub.look()
        assert kept.hub.incidents.open == []
        for _ in range(WAITING):  # no turn for the writer since the look
            kept.history.put(lambda db: None)
        kept.written()
        assert len(kept.get("findings", f"at={kept.at}")["open"]) == 1, "the close is lost"
        then = kept.get("findings", f"at={kept.look()}")
        assert (then["open"], len(then["recent"])) == ([], 1)


@pytest.mark.parametrize("stored", [False, True], ids=["before the close is stored", "after the close is stored"])
def test_a_finding_that_comes_back_after_a_dropped_close_is_another_one(tmp_path: Path, *, stored: bool) -> None:
    """It has the same id. Its first outage ends before the second one opens, whether a look between them is stored."""
    with probers(dead().states()) as found, keeping(tmp_path, found) as kept:
        kept.look()
        first = kept.look()
        become(found, mesh())
        kept.look()
        kept.look()
        kept.hub.look()
        for _ in range(WAITING):  # no turn for the writer since the look
            kept.history.put(lambda db: None)
        if stored:
            kept.look()
        become(found, dead())
        kept.clock.instant += 60.0
        kept.hub.look()
        kept.clock.instant += 5.0
        kept.hub.look()
        second = kept.at
        if not stored:
            for _ in range(WAITING):
                kept.history.put(lambda db: None)
        kept.look()
        (one, its_end), (other, no_end) = outages(tmp_path)
        assert (one, other, no_end) == (first, second, None)
        assert its_end is not None
        assert first <= its_end < second


@pytest.mark.parametrize("knows", [True, False], ids=["one that knows it", "one that does not"])
def test_an_outage_stays_one_over_a_step_of_the_clock_and_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, knows: bool
) -> None:
    """The dates that its opening has later, and in another hub, do not make it two."""
    with probers(dead().states()) as found:
        with keeping(tmp_path, found) as kept:
            kept.look()
            opened = kept.look()
            clock = kept.clock
        monkeypatch.setattr(stand_ins, "WALL", stand_ins.WALL + 100.0)
        with keeping(tmp_path, found, clock, begins=False) as kept:
            if knows:
                kept.hub.resume(recall(kept.reader, clock).open)
                kept.history.keep_open(each.id for each in kept.hub.incidents.open)
            kept.history.start()
            kept.look()
            kept.look()
            monkeypatch.setattr(stand_ins, "WALL", stand_ins.WALL + 100.0)
            become(found, mesh())
            for _ in range(3):
                closed = kept.look()
            assert outages(tmp_path) == [(opened, closed)]
