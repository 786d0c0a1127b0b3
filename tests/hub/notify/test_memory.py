"""The memory of what was sent, as text of the Lease: bounded, and of no harm whatever the text is."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import Mock

import msgspec
import pytest

from smoker_diagnosis.component import Scope
from smoker_diagnosis.finding import finding_of
from smoker_hub.notify import memory as notify_memory
from smoker_hub.notify.memory import LARGEST, MOST, LeaseMemory
from smoker_hub.notify.receiver import Happening, Notice
from smoker_hub.resume import AWAY
from smoker_hub.web import now
from tests.hub.stand_ins import ManualClock

from .receivers import looking, notice


def memory(*names: str) -> LeaseMemory:
    return LeaseMemory(names or ("mine",), ManualClock())


def text_of_an_opening() -> str:
    """Return what is remembered of one opening."""
    one = memory()
    with looking("node-2") as (hub, _):
        one.settled("mine", notice(hub))
    return one.text(3)


def loaded(text: str) -> LeaseMemory:
    one = memory()
    one.load(text, 3, ManualClock().wall_time())
    return one


def test_what_was_sent_is_read_again() -> None:
    """Receivers share an entry, one that is not configured any more is left out, and a close ends it."""
    one, two = memory("mine", "other"), memory("mine")
    with looking("node-2") as (hub, _):
        sent = notice(hub)
        for name in ("mine", "other"):
            one.settled(name, sent)
        assert [each["receivers"] for each in json.loads(one.text(3))["sent"]] == [["mine", "other"]]
        two.load(one.text(3), 3, 5.0)
        assert two.handed is not None
        (found,) = two.handed.sent
        assert (found.receivers, two.handed.renewed, two.handed.more) == (("mine",), 5.0, False)
        assert (found.opened, found.finding.id) == (sent.view.opened, sent.view.id)
        assert found.finding.counts == sent.view.finding.counts
        assert json.loads(two.text(3))["sent"][0]["receivers"] == ["mine"]
        changes: list[tuple[Happening, int]] = [("close", 0), ("open", 1)]
        for kind, count in changes:
            two.settled("mine", sent._replace(event=kind))
            assert len(json.loads(two.text(3))["sent"]) == count
        two.forget()
        assert json.loads(two.text(3)) == {"sent": [], "more": False, "transitions": 3}


def test_its_sentences_stay_the_same() -> None:
    """Place and headline of a finding need none of the paths that are left out."""
    with looking("node-2") as (hub, _):
        (incident,) = hub.incidents.open
        one = memory()
        one.settled("mine", notice(hub))
        before = now.view(hub, incident)
        again = loaded(one.text(3))
        assert again.handed is not None
        incident.finding = again.handed.sent[0].finding
        after = now.view(hub, incident)
        assert (after.headline, after.place, after.what) == (before.headline, before.place, before.what)


@pytest.mark.parametrize(("length", "kept"), [(10, MOST), (250, 0), (4_000, -1)])
def test_it_is_bounded(length: int, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many findings and however long their names, the text fits, has the newest and says that it lacks some."""
    one = memory()
    with looking("node-2") as (hub, _):
        view = notice(hub).view
        for number in range(3 * MOST):
            finding = finding_of("blue", "fault", Scope("node", (f"{number:{length}}",)), "pod")
            sent = msgspec.structs.replace(view, id=finding.id, finding=finding)
            one.settled("mine", Notice("open", sent, ""))
    encode = Mock(wraps=notify_memory._encoded)
    monkeypatch.setattr(notify_memory, "_encoded", encode)
    text = one.text(3)
    assert len(text) <= LARGEST
    assert kept < 0 or encode.call_count <= MOST, "the others cost nothing"
    found = json.loads(text)
    assert found["more"] is True
    places = [each["finding"]["scope"]["nodes"][0] for each in found["sent"]]
    if kept >= 0:
        assert len(places) == kept or (not kept and 10 < len(places) < MOST)
        assert places[-1] == f"{3 * MOST - 1:{length}}"
    else:
        assert places == []
    again = loaded(text)
    assert again.handed is not None
    assert (len(again.handed.sent), again.handed.more) == (len(places), True)


def spoiled(**fields: Any) -> str:
    """Return an otherwise good text with these fields in its entry, or in its finding."""
    document = json.loads(text_of_an_opening())
    entry = document["sent"][0]
    for name, value in fields.items():
        (entry if name in entry else entry["finding"])[name] = value
    return json.dumps(document)


def test_hostile_text_is_ignored(records: list[str]) -> None:
    """Text that is no memory, too long, or full of impossible values is none, and one line says so."""
    good = text_of_an_opening()
    records.clear()
    assert loaded(good).handed is not None
    assert records == []
    entry = json.loads(good)["sent"][0]
    for text in (
        "x",
        "[]",
        "null",
        "{}",
        "[" * LARGEST,
        f'{good[:-1]},"x":{"[" * 4_000}{"]" * 4_000}}}',
        good[:-1],
        good.replace('"fault"', '"war"'),
        json.dumps(json.loads(good) | {"sent": [entry | {"receivers": []}] * (MOST + 1)}),
        f"{good}{' ' * LARGEST}",
        "\ud800",
        spoiled(opened=1e300),
        spoiled(opened=-1.0),
        spoiled(first_seen="1"),
        spoiled(last_seen=0),
        spoiled(escalations=-1),
        spoiled(escalations=10**30),
        spoiled(confidence=7.0),
        spoiled(receivers="mine"),
    ):
        records.clear()
        one = loaded(text)
        assert one.handed is None, text[:200]
        assert json.loads(one.text(3))["sent"] == []
        assert len([line for line in records if "cannot be read" in line]) == 1


def test_what_one_holder_left_out_is_forgotten_in_time() -> None:
    """The next holder says so until it has sent it again, or given up, and then no more."""
    clock = ManualClock()
    one = LeaseMemory(["mine"], clock)
    one.load(text_of_an_opening().replace('"more":false', '"more":true'), 3, clock.wall_time())
    for seconds, more in ((0.0, True), (AWAY - 1.0, True), (1.0, False)):
        clock.instant += seconds
        document = json.loads(one.text(3))
        assert (len(document["sent"]), document["more"]) == (1, more)


def test_a_change_of_hands_in_between_ends_it(records: list[str]) -> None:
    """A hub of an older version carries the text along: what it has sent is not in it."""
    text, one = text_of_an_opening(), memory()
    records.clear()
    one.load(text, 4, ManualClock().wall_time())
    assert (one.handed, records) == (None, [])


def test_what_was_taken_in_can_be_lost() -> None:
    """A hub that has not got the Lease knows nothing of what it read there."""
    one = loaded(text_of_an_opening())
    one.lose()
    assert (one.handed, json.loads(one.text(3))["sent"]) == (None, [])
