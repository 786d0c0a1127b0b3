"""List and watch: the reported items and the logged lines, whatever the API does."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import Event

from smoker_kube.api import Api
from smoker_kube.standing import OK, Answering, sentence, standing_of
from smoker_kube.watch import KEPT, LASTS, LONGEST, MANY, PAGE, Watch
from tests.conftest import eventually, free_port

from .fake_api import (
    Fake,
    FakeApi,
    Request,
    Step,
    answer,
    bookmark,
    cut,
    error,
    event,
    faking,
    hold,
    item,
    page,
    watch,
)

ERROR = "the API server answers with an internal error"
CLOSED = "the API server does not answer"
STRANGE = "something answers at the API server's address, but not as the Kubernetes API does"
PATH, SELECTOR = "/apis/x/things", "app in (a,b)"
AGAIN = "INFO the API server answers again {}"
GONE = answer(410)


@pytest.fixture
def fake() -> Iterator[Fake]:
    """`fake(*script)` returns an API that follows the script."""
    with faking() as one:
        yield one


class RecordedWatch:
    """A watch with its reports and pauses, which take no time unless `patience` is cleared."""

    def __init__(self, url: str, token: Path, silence: float = 60.0, *, alone: bool = True) -> None:
        self.told: list[dict[str, Any]] = []
        self.pauses: list[float] = []
        self.patience = Event()
        self.patience.set()
        self.waits = False
        self.fails: dict[int, Exception] = {}  # by the number of the telling
        self.now = 1000.0
        api = Api(url, token=token, read=silence, silence=silence)
        self.watch = Watch(
            api,
            PATH,
            selector=SELECTOR,
            keep=lambda found: found.get("value"),
            changed=self._changed,
            alone=alone,
            pause=self._pause,
            clock=lambda: self.now,
        )

    def _changed(self, items: Mapping[str, Any]) -> None:
        self.told.append(dict(items))
        if failure := self.fails.get(len(self.told)):
            raise failure

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.waits = True
        self.patience.wait()
        self.waits = False
        gevent.sleep(0)

    def knows(self, **items: Any) -> None:
        eventually(f"{items} is told", lambda: self.told and self.told[-1] == items)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    """`start(server)` starts a watch of it; `silence` is how long it waits, in seconds."""
    with contextlib.ExitStack() as all_of_them:

        def one(server: FakeApi | str, silence: float = 60.0) -> RecordedWatch:
            watched = RecordedWatch(server if isinstance(server, str) else server.url, tmp_path / "token", silence)
            all_of_them.callback(watched.watch.close)
            watched.watch.start()
            return watched

        yield one


def versions(requests: list[Request]) -> list[str]:
    """Return for each request the version from which a watch began, `cached` or `list`."""

    def one(request: Request) -> str:
        version = request.query.get("resourceVersion", "")
        return version if request.watches else {"0": "cached", "": "list"}[version]

    return [one(request) for request in requests]


def test_a_list_is_followed_by_its_events(fake: Fake, start: Any) -> None:
    """Added, modified and deleted objects are reported at once, reduced to the kept fields."""
    events = (
        event("ADDED", "b", "6", value=2),
        event("MODIFIED", "a", "7", value=3),
        event("DELETED", "b", "8"),
        event("DELETED", "never-seen", "9"),
    )
    server = fake(page(item("a", value=1), version="5"), watch(*events))
    watched = start(server)
    eventually("all is told", lambda: len(watched.told) == 5)
    assert watched.told == [{"a": 1}, {"a": 1, "b": 2}, {"a": 3, "b": 2}, {"a": 3}, {"a": 3}]
    assert (watched.watch.known, watched.watch.stale, watched.pauses) == (True, None, [])
    listed, followed = server.asked(2)
    assert (listed.path, listed.query) == (
        PATH,
        {"labelSelector": SELECTOR, "limit": PAGE, "resourceVersion": "0"},
    )
    seconds = int(followed.query.pop("timeoutSeconds"))
    assert LASTS[0] <= seconds <= LASTS[1]
    wanted = {"labelSelector": SELECTOR, "watch": "1", "allowWatchBookmarks": "true", "resourceVersion": "5"}
    assert (followed.path, followed.query) == (PATH, wanted)


def test_pages_are_one_list(fake: Fake, start: Any) -> None:
    """A list in pages is reported once, and watched from the last page's version."""
    server = fake(page(item("a", value=1), version="5", more="on"), page(item("b", value=2), version="6"))
    watched = start(server)
    watched.knows(a=1, b=2)
    requests = server.asked(3)
    assert [request.query.get("continue") for request in requests] == [None, "on", None]
    assert versions(requests) == ["cached", "list", "6"]
    assert len(watched.told) == 1


def test_a_cached_list_that_is_too_large(fake: Fake, start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list from the cache that exceeds the limit is given up, and is read in pages at once."""
    monkeypatch.setattr("smoker_kube.watch.CACHED", 20_000)
    large = [item(f"n{number}", filling="x" * 1000) for number in range(30)]
    server = fake(page(*large), page(item("a"), version="5", more="on"), page(item("b"), version="6"))
    watched = start(server)
    watched.knows(a=None, b=None)
    assert versions(server.asked(4)) == ["cached", "list", "list", "6"]
    assert watched.pauses == []


def test_a_list_that_failed_may_still_come_from_the_cache(fake: Fake, start: Any) -> None:
    """A failed list is read from the cache again, so that a busy API server has no more work."""
    server = fake(answer(429), answer(503), cut, page(item("a"), version="5"))
    watched = start(server)
    watched.knows(a=None)
    assert versions(server.asked(5)) == ["cached"] * 4 + ["5"]


def test_a_stale_cache_causes_no_loop(fake: Fake, start: Any) -> None:
    """If the cache gives a version that is already lost, the next list is a consistent one. So are those after it."""
    server = fake(page(item("old"), version="3"), GONE, page(item("a"), version="9"), GONE, page(version="12"))
    watched = start(server)
    watched.knows()
    assert versions(server.asked(6)) == ["cached", "3", "list", "9", "list", "12"]


def test_pages_that_are_too_old(fake: Fake, start: Any, records: list[str]) -> None:
    """After a 410 for the second page the list begins anew at once, without the first attempt's items."""
    server = fake(page(item("gone"), more="on"), GONE, page(item("a", value=1), version="9"))
    watched = start(server)
    watched.knows(a=1)
    assert [request.query.get("continue") for request in server.asked(4)] == [None, "on", None, None]
    assert (watched.told, watched.pauses, records) == ([{"a": 1}], [], [])


@pytest.mark.parametrize("forgotten", [GONE, watch(error(410)), watch(error(500))], ids=["status", "event", "other"])
def test_a_version_that_is_forgotten(fake: Fake, start: Any, records: list[str], forgotten: Step) -> None:
    """After a 410 as an answer or event, or any other error event, there is a new list at once, and no log line."""
    server = fake(page(item("a"), item("b"), version="5"), forgotten, page(item("b"), version="9"))
    watched = start(server)
    watched.knows(b=None)
    assert versions(server.asked(4)) == ["cached", "5", "list", "9"]
    assert (watched.pauses, records) == ([], [])


def test_a_version_that_is_forgotten_each_time(fake: Fake, start: Any) -> None:
    """From the second time on there is a pause, because a list costs the API server much."""
    server = fake(*[page(version="5"), GONE] * 4, page(version="9"))
    watched = start(server)
    server.asked(10)
    assert len(watched.pauses) == 3


@pytest.mark.parametrize("end", ["end", "cut"])
def test_a_watch_that_ends(fake: Fake, start: Any, records: list[str], end: str) -> None:
    """A watch that ends, also within a line, continues from the last version at once, without a log line or a list."""
    half = json.dumps(event("ADDED", "c", "8")).encode()[:30]
    first = watch(event("ADDED", "b", "6"), bookmark("7"), half, end=end)
    server = fake(page(item("a"), version="5"), first, watch(event("ADDED", "c", "8")))
    watched = start(server)
    watched.knows(a=None, b=None, c=None)
    assert versions(server.asked(3)) == ["cached", "5", "7"]
    assert (watched.pauses, watched.watch.stale) == ([], None)
    assert [line for line in records if not line.startswith("DEBUG")] == []


def test_a_bookmark_is_not_reported(fake: Fake, start: Any) -> None:
    """A bookmark moves the version and is not reported."""
    server = fake(page(version="5"), watch(bookmark("7"), end="end"))
    watched = start(server)
    assert versions(server.asked(3)) == ["cached", "5", "7"]
    assert watched.told == [{}]


def test_a_watch_that_is_silent(fake: Fake, start: Any) -> None:
    """A watch without the expected bookmark is given up and requested again."""
    server = fake(page(version="5"), watch(), watch(event("ADDED", "a", "6"), end="end"))
    watched = start(server, silence=0.2)
    watched.knows(a=None)
    assert versions(server.requests[:3]) == ["cached", "5", "5"]


def test_a_watch_that_ends_at_once_each_time(fake: Fake, start: Any) -> None:
    """Watches that end at once are followed by pauses, and the version is kept."""
    server = fake(page(version="5"), *[watch(end="end")] * 4)
    watched = start(server)
    assert versions(server.asked(6)) == ["cached", *["5"] * 5]
    assert len(watched.pauses) == 3


def test_an_event_ends_the_pauses(fake: Fake, start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses double up to the longest, each with a random part. After an event they begin anew."""
    monkeypatch.setattr(random, "uniform", lambda low, high: high if low == 0 else pytest.fail("not full"))
    bad = answer(500)
    server = fake(page(version="5"), *[bad] * 8, watch(bookmark("6"), end="end"), bad)
    watched = start(server)
    server.asked(12)
    assert watched.pauses == [0.5, 1, 2, 4, 8, 16, LONGEST, LONGEST, 1]


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_of_the_api_is_respected(fake: Fake, start: Any, status: int) -> None:
    """Its Retry-After is kept, plus a random part, so that clients do not return at the same time."""
    server = fake(answer(status, retry_after=3), page(version="5"), answer(status, retry_after=99_999_999))
    watched = start(server)
    server.asked(4)
    first, second = watched.pauses
    assert 3 <= first <= 3.5
    assert LASTS[1] <= second <= LASTS[1] + LONGEST


def test_an_api_that_does_not_answer(fake: Fake, start: Any, records: list[str]) -> None:
    """It is logged once with the cause, and once when it answers again.

    Meanwhile the last report counts, and its age is known.
    """
    port = free_port()
    watched = start(f"http://127.0.0.1:{port}")
    assert watched.watch.stale == 1000.0
    eventually("it has tried three times", lambda: len(watched.pauses) >= 3)
    watched.now = 2000.0
    watched.patience.clear()
    eventually("it waits", lambda: watched.waits)  # urllib3 leaves a socket open that is cut off in its connect
    assert (watched.watch.known, watched.watch.stale, watched.told) == (False, 1000.0, [])
    fields = {"cause": "Connection refused", "path": PATH, "known": 0}
    assert records == [f"WARNING the API server does not answer; {KEPT} {fields}"]
    assert watched.watch.standing == (Answering.UNANSWERED, None, "Connection refused")


#: What an API server may answer in place of a list, the word for it, and the status.
TROUBLES: dict[str, tuple[Step, Answering, int | None]] = {
    "401": (answer(401), Answering.REFUSED, 401),
    "403": (answer(403), Answering.REFUSED, 403),
    "404": (answer(404), Answering.REFUSED, 404),
    "429": (answer(429, retry_after=1), Answering.REFUSED, 429),
    "500": (answer(500), Answering.REFUSED, 500),
    "503": (answer(503, retry_after=1), Answering.REFUSED, 503),
    "302": (answer(302, location="/login"), Answering.REFUSED, 302),
    "html": (answer(200, b"<html>"), Answering.UNREADABLE, None),
    "list": (answer(200, []), Answering.UNREADABLE, None),
    "empty": (answer(200, b""), Answering.UNREADABLE, None),
    "cut": (cut, Answering.UNANSWERED, None),
    "silence": (hold, Answering.UNANSWERED, None),
}
#: The lines of a watch that cannot be read have a test of their own.
OF_A_WATCH = [word for word, (_, answering, _) in TROUBLES.items() if answering is not Answering.UNREADABLE]


@pytest.mark.parametrize(
    ("word", "at"), [*((word, "list") for word in TROUBLES), *((word, "watch") for word in OF_A_WATCH)]
)
def test_each_failure_has_its_word_and_its_sentence(
    fake: Fake, start: Any, records: list[str], word: str, at: str
) -> None:
    """A refusal has other words than silence, for the list and for the watch. The next answer ends both."""
    trouble, answering, status = TROUBLES[word]
    server = fake(*([page(version="5")] if at == "watch" else []), trouble)
    watched = start(server, silence=0.2)
    watched.patience.clear()
    eventually("it waits", lambda: watched.waits)
    assert watched.watch.standing[:2] == (answering, status)
    assert watched.watch.stale == 1000.0
    assert [line.partition(" {")[0] for line in records] == [f"WARNING {sentence(answering, status)}; {KEPT}"]
    server.script.extend([watch(bookmark("6"))] if at == "watch" else [page(version="5")])
    watched.patience.set()
    eventually("it answers again", lambda: watched.watch.standing == OK and watched.watch.stale is None)


def test_a_pod_without_its_token(fake: Fake, tmp_path: Path) -> None:
    """Without its token a pod sends nothing, and that says nothing about the API server."""
    token = tmp_path / "token"
    token.write_text("")
    with pytest.raises(OSError, match="it contains no token") as caught:
        Api(fake().url, token=token).get(PATH)
    assert standing_of(caught.value) == (Answering.UNASKED, None, f"{token}: it contains no token")
    assert standing_of(OSError(24, "Too many open files")).answering is Answering.UNASKED


def test_no_two_failures_share_a_sentence() -> None:
    """Each kind of failure has its own sentence; an unknown word from a newer prober is no error."""
    kinds = [(kind, None) for kind in Answering] + [(Answering.REFUSED, status) for status in (401, 403, 404, 429, 500)]
    assert len({sentence(kind, status) for kind, status in kinds}) == len(kinds)
    assert sentence("later") == "the API server does not return the list of peers"


def test_an_api_that_answers_again(fake: Fake, start: Any, records: list[str]) -> None:
    """Each outage is logged once, and so is its end; the last list stays in use meanwhile."""
    bad = [answer(500), cut, answer(200, b"<html>"), answer(200, {"kind": "Status"})]
    server = fake(page(item("a"), version="5"), watch(end="end"), *bad[:2])
    watched = start(server)
    watched.patience.clear()
    eventually("it has failed", lambda: watched.pauses)
    assert (watched.watch.stale, watched.told) == (1000.0, [{"a": None}])
    server.script.extend([GONE, *bad[2:], page(item("b"), version="9")])
    watched.patience.set()
    watched.knows(b=None)
    assert watched.told == [{"a": None}, {"b": None}]
    assert watched.watch.stale is None
    known = {"path": PATH, "known": 1}
    assert records == [
        f"WARNING {ERROR}; {KEPT} { {'cause': '500 Reason'} | known }",
        f"WARNING {CLOSED}; {KEPT} { {'cause': 'Remote end closed connection without response'} | known }",
        f"WARNING {STRANGE}; {KEPT} { {'cause': 'the answer is not one of the Kubernetes API'} | known }",
        AGAIN,
    ]
    assert watched.watch.standing == OK


def test_a_token_that_has_expired(fake: Fake, start: Any, tmp_path: Path, records: list[str]) -> None:
    """After a 401 there are pauses until the token in the file is accepted."""
    token = tmp_path / "token"
    token.write_text("old")
    server = fake(page(item("a")), token="renewed")
    watched = start(server)
    eventually("it has tried twice", lambda: len(watched.pauses) >= 2)
    token.write_text("renewed")
    watched.knows(a=None)
    assert [line.partition(" {")[0] for line in records] == [
        f"WARNING {sentence(Answering.REFUSED, 401)}; {KEPT}",
        "INFO the API server answers again",
    ]
    assert "cause': '401 Reason'" in records[0]


def test_beside_another_watch_silence_is_not_logged(fake: Fake, tmp_path: Path, records: list[str]) -> None:
    """If another watch logs that the API server is silent, this one does not.

    It logs refusals, which concern its own objects.
    """
    server = fake(cut, answer(403), page(item("a")))
    watched = RecordedWatch(server.url, tmp_path / "token", alone=False)
    watched.watch.start()
    watched.knows(a=None)
    watched.watch.close()
    assert [line.partition(" {")[0] for line in records] == [
        f"WARNING {sentence(Answering.REFUSED, 403)}; {KEPT}",
        "INFO the API server answers again",
    ]


def test_an_account_without_its_role(fake: Fake, start: Any, records: list[str]) -> None:
    """A 403 is one sentence that names what is missing, also within an outage.

    The pauses are the longest from the first on.
    """
    server = fake(answer(500), answer(403), answer(403), page(item("a")))
    watched = start(server)
    watched.knows(a=None)
    assert [line.partition(" {")[0] for line in records] == [
        f"WARNING {ERROR}; {KEPT}",
        f"WARNING {sentence(Answering.REFUSED, 403)}; {KEPT}",
        "INFO the API server answers again",
    ]
    assert len(watched.pauses) == 3
    assert watched.watch._failures == MANY


@pytest.mark.parametrize("failure", [RuntimeError("ours"), ValueError("ours"), OSError("ours")])
def test_a_listener_that_fails(fake: Fake, start: Any, records: list[str], failure: Exception) -> None:
    """Any error in our own listener is logged as such, not as one of the API, and the whole list is reported again."""
    server = fake(
        page(version="5"), page(item("a"), version="6"), watch(event("ADDED", "b", "7")), page(item("c"), version="8")
    )
    watched = start(server)
    watched.fails = {1: failure, 3: failure}
    watched.knows(c=None)
    assert versions(server.asked(5)) == ["cached", "list", "6", "list", "8"]
    assert [line.partition(" {")[0] for line in records] == ["ERROR the watch failed unexpectedly"] * 2
    assert (len(watched.pauses), watched.watch.stale) == (2, None)


@pytest.mark.parametrize(
    "nonsense",
    [
        watch(b"not JSON\n", end="end"),
        watch([], 7, {"type": "LATER", "object": None}, {"object": []}, end="end"),
        watch({"type": "ADDED", "object": "text"}, {"type": "DELETED", "object": {"metadata": None}}, end="end"),
        answer(200, b"\xff\xfe"),
    ],
)
def test_malformed_events_are_survived(fake: Fake, start: Any, nonsense: Step) -> None:
    """After any malformed line the next event is still reported."""
    server = fake(page(version="5"), nonsense, watch(event("ADDED", "a", "6")))
    watched = start(server)
    eventually("the next is told", lambda: watched.told and "a" in watched.told[-1])


@pytest.mark.parametrize("items", [7, {"a": 1}, [None, 3, "x"]])
def test_a_malformed_list_is_survived(fake: Fake, start: Any, items: Any) -> None:
    """After a malformed list the next one is still reported."""
    bad = answer(200, {"metadata": {"resourceVersion": "5"}, "items": items})
    server = fake(bad, GONE, page(item("a", value=1), version="6"), page(item("a", value=1), version="6"))
    start(server).knows(a=1)


def test_no_items_are_an_empty_list(fake: Fake, start: Any) -> None:
    """Go's nil slice is null in JSON."""
    server = fake(answer(200, {"metadata": {"resourceVersion": "5"}, "items": None}))
    start(server).knows()


@pytest.mark.parametrize("script", [[hold], [page(), hold], [page(), watch()]], ids=["list", "answer", "watch"])
def test_it_can_be_closed_during_a_read(fake: Fake, start: Any, script: list[Step]) -> None:
    """Closed while it waits for a byte, its greenlet ends and its connection is gone."""
    server = fake(*script)
    watched = start(server)
    server.asked(len(script))
    watched.watch.close()
    eventually("nothing is left", lambda: watched.watch._greenlet.dead and server.open == 0)


def test_it_can_be_closed_during_a_pause(fake: Fake, start: Any) -> None:
    """Closed while it pauses, it ends at once; a second close has no effect."""
    server = fake(answer(500))
    watched = start(server)
    watched.patience.clear()
    eventually("it waits", lambda: watched.pauses)
    watched.watch.close()
    watched.watch.close()
    eventually("its greenlet has ended", lambda: watched.watch._greenlet.dead)
    assert len(server.requests) == 1


def test_a_watch_that_never_started_can_be_closed(tmp_path: Path) -> None:
    """A watch that was never started can be closed."""
    RecordedWatch("http://127.0.0.1:1", tmp_path).watch.close()
