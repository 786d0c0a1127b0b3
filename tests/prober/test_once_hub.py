"""`once --hub`: exit code and lines by the hub's verdict, and how long it waits."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import msgspec
import pytest

from smoker_common.fetch import FetchError
from smoker_common.listen import tcp_listener
from smoker_hub.hub import Hub
from smoker_hub.web import api
from smoker_hub.web.auth import Guard
from smoker_hub.web.sources import Sources
from smoker_hub.web.stream import Stream
from smoker_prober.gather.hub import Verdict, ask
from tests.conftest import Start
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub.stand_ins import ManualClock, Prober, hub_of, probers
from tests.hub.test_api_check import whole
from tests.prober.targets import answering, listening
from tests.prober.test_gather import command

HOST = "127.0.0.1"
GOOD = whole(Cluster(nodes(4)).states())
LOSSY = whole(Cluster(nodes(4)).lose(lambda link: link.touches("node-2"), 9).states())
# One probe of a lossy path, and one of a path beside it, whose last packet got no answer.
FAILED = whole(
    Cluster(nodes(4))
    .lose(lambda link: link.touches("node-2"), 9)
    .fail(lambda link: link == ("node-1", "node-2", "pod", "ipv4"), ("udp",), rounds=1)
    .states()
)
BESIDE = whole(
    Cluster(nodes(4))
    .lose(lambda link: link.touches("node-2"), 9)
    .fail(lambda link: link == ("node-1", "node-3", "pod", "ipv4"), ("udp",), rounds=1)
    .states()
)
BROKEN = whole(Cluster(nodes(4)).fail(lambda link: link.touches("node-2")).states())
LONG = 60.0  # seconds that no test waits for


@contextlib.contextmanager
def serving(hub: Hub, guard: Guard | None = None) -> Iterator[int]:
    """The port on which this hub answers."""
    listener = tcp_listener(HOST, 0)
    server = api.Server(listener, Sources(hub=hub, stream=Stream(hub), guard=guard))
    server.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.close()
        server.drain(0.0)


@contextlib.contextmanager
def a_hub(states: list[Any], looks: int = 2) -> Iterator[tuple[Hub, list[Prober], ManualClock]]:
    """Return a hub that has looked at probers with these states."""
    with probers(states) as found:
        clock = ManualClock()
        hub = hub_of(found, clock)
        for _ in range(looks):
            hub.look()
        yield hub, found, clock


def test_a_good_verdict_comes_at_once() -> None:
    """The client reads what the hub sends, without a wait."""
    with a_hub(GOOD) as (hub, _, _), serving(hub) as port:
        found = ask(HOST, port, LONG)
        assert (found.ok, found.as_text()) == (True, found.sentence)
        assert found.sentence.startswith("HEALTHY ")


def test_a_fault_ends_the_wait_with_the_next_look() -> None:
    """A fault from before the first answer may be over. One that a later look still has ends the wait."""
    with a_hub(BROKEN) as (hub, _, clock), serving(hub) as port:
        asking = gevent.spawn(ask, HOST, port, LONG)
        with pytest.raises(gevent.Timeout), gevent.Timeout(1.0):
            asking.get()
        clock.instant += 5.0
        hub.look()
        found: Verdict = asking.get(timeout=10)
    assert not found.ok
    first, second, *_ = found.as_text().splitlines()
    assert (first.startswith("FAULT node-2: "), second.startswith("  evidence: ")) == (True, True)
    assert "FROM    TO      PROBE" in found.as_text()


def test_loss_fails_unless_it_is_tolerated() -> None:
    """Tolerated loss is shown and makes no verdict bad, nor does it end the wait for what is missing."""
    with a_hub(LOSSY) as (hub, found, clock), serving(hub) as port:
        assert not ask(HOST, port).ok
        lenient = ask(HOST, port, tolerated=("loss",))
        assert (lenient.ok, [each.finding.kind for each in lenient.findings]) == (True, ["loss"])
        assert "packet loss" in lenient.as_text()
        found[0].state = msgspec.structs.replace(found[0].state, peers=1)
        hub.look()
        assert not ask(HOST, port, tolerated=("loss",)).ok
        asking = gevent.spawn(ask, HOST, port, LONG, tolerated=("loss",))
        for _ in range(2):
            clock.instant += 5.0
            hub.look()
            assert not asking.ready()
        found[0].state = LOSSY[0]
        hub.look()
        assert asking.get(timeout=10).ok


def test_a_path_that_tolerated_loss_explains_does_not_count() -> None:
    """A probe of the lossy place that gets no answer is shown; it fails the verdict only if loss is not tolerated."""
    with a_hub(FAILED) as (hub, _, _), serving(hub) as port:
        assert not ask(HOST, port).ok
        lenient = ask(HOST, port, tolerated=("loss",))
        assert (lenient.ok, len(lenient.failing), lenient.explained_by_loss) == (True, 1, 1)
        assert "Packet loss explains 1 failing path." in lenient.as_text().splitlines()
        assert lenient.as_text().splitlines()[-1].startswith("node-1  node-2  udp ")
    with a_hub(BESIDE) as (hub, _, _), serving(hub) as port:
        found = ask(HOST, port, tolerated=("loss",))
        assert ([each.finding.kind for each in found.findings], found.explained_by_loss) == (["loss"], 0)
        assert not found.ok


def test_a_hub_that_does_not_say_what_loss_explains() -> None:
    """The verdict of an older hub is read, and each of its failing paths counts."""
    with a_hub(FAILED) as (hub, _, _), serving(hub) as port:
        document = json.loads(msgspec.json.encode(ask(HOST, port)))
    del document["explained_by_loss"]
    with listening(answering(_http(json.dumps(document).encode()))) as port:
        assert not ask(HOST, port, tolerated=("loss",)).ok


def test_a_fault_beside_tolerated_loss_counts() -> None:
    """A finding of another kind fails the verdict."""
    with a_hub(BROKEN) as (hub, _, _), serving(hub) as port:
        assert not ask(HOST, port, tolerated=("loss",)).ok


def test_a_hub_that_has_not_looked_says_what_is_missing() -> None:
    """Loss from before the hub's restart is tolerated, and the verdict is bad until a prober is known."""
    with a_hub(GOOD, looks=0) as (hub, _, _), a_hub(LOSSY) as (before, _, _), serving(hub) as port:
        hub.incidents.resume(before.incidents.open)
        found = ask(HOST, port, tolerated=("loss",))
        assert (found.ok, [each.finding.kind for each in found.findings]) == (False, ["loss"])
        assert found.missing == ["no prober is known yet"]


def test_a_fault_that_heals_meanwhile_is_waited_for() -> None:
    """A finding that is clearing is no fault: the verdict is good once it has closed."""
    with a_hub(BROKEN) as (hub, found, clock), serving(hub) as port:
        asking = gevent.spawn(ask, HOST, port, LONG)
        for prober, state in zip(found, GOOD, strict=True):
            prober.state = state
        for _ in range(3):
            clock.instant += 5.0
            hub.look()
        assert asking.get(timeout=10).ok


def test_a_mesh_that_is_not_whole_is_waited_for() -> None:
    """Before the hub's first look the check fails when its time is over; with enough time it waits for that look."""
    with a_hub(GOOD, looks=0) as (hub, _, _), serving(hub) as port:
        assert not ask(HOST, port, 0.1).ok
        asking = gevent.spawn(ask, HOST, port, LONG)
        gevent.sleep(0)
        hub.look()
        assert asking.get(timeout=10).ok


def test_a_hub_that_comes_late_is_waited_for() -> None:
    """Until the hub listens there is no answer, which is an error only at the end of the time."""
    with a_hub(GOOD) as (hub, _, _):
        with serving(hub) as port:
            pass
        with pytest.raises(FetchError, match="does not answer"):
            ask(HOST, port, 0.1)
        asking = gevent.spawn(ask, HOST, port, LONG)
        gevent.sleep(0)
        listener = tcp_listener(HOST, port)
        server = api.Server(listener, Sources(hub=hub, stream=Stream(hub)))
        server.start()
        assert asking.get(timeout=10).ok
        server.close()
        server.drain(0.0)


@pytest.mark.parametrize("files", [{"token": "t0ken\n"}, {"username": "ops", "password": "pä:ss\n"}])
def test_credentials(tmp_path: Path, files: dict[str, str]) -> None:
    """A hub with a login gets the folder's token, or user and password; without them it answers 401."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with a_hub(GOOD) as (hub, _, _), serving(hub, Guard(tmp_path)) as port:
        assert ask(HOST, port, folder=str(tmp_path)).ok
        with pytest.raises(FetchError, match="answers with status 401"):
            ask(HOST, port)


def test_missing_credentials_are_reported(tmp_path: Path) -> None:
    """An empty folder is named and nothing is sent, nor is a token that would end the header."""
    with pytest.raises(FetchError, match=r"has no file token that can be read, nor username and password"):
        ask(HOST, 1, folder=str(tmp_path))
    (tmp_path / "token").write_text("a\r\nX-Other: b")
    refused = pytest.raises(FetchError, match="the credentials are not printable ASCII")
    with a_hub(GOOD) as (hub, _, _), serving(hub) as port, refused:
        ask(HOST, port, folder=str(tmp_path))


@pytest.mark.parametrize("body", [b"[]", b"{}", b"HEALTHY", b"[" * 10_000])
def test_a_malformed_verdict_is_reported(body: bytes) -> None:
    """Another program at that port is named with its answer."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with listening(answering(answer)) as port, pytest.raises(FetchError, match="does not send a verdict"):
        ask(HOST, port)


def test_several_findings_have_a_line_each() -> None:
    """A single finding is in the sentence already. Missing probers follow, and every failing path."""
    one: dict[str, Any] = {"headline": "FAULT a", "phase": "open", "last_seen": 1.0, "evidence": ["e"], "next": ["n"]}
    one["finding"] = {"kind": "fault"}
    two = {**one, "headline": "WARNING \x1bb"}
    path = {"source": "a", "target": "b", "probe": "tcp", "plane": "pod", "family": "", "outcome": ""}
    document = {"ok": False, "at": 1.0, "sentence": "FAULT a, and 1 more finding", "findings": [one, two]}
    document |= {"missing": ["the prober on c does not answer"], "failing": [path], "left_out": 3}
    (line, *lines) = Verdict(**{**document, "findings": [], "failing": []}).as_text().splitlines()  # type: ignore[arg-type]
    assert (line, lines) == (
        "FAULT a, and 1 more finding",
        ["The prober on c does not answer.", "… and 3 more."],
    )
    with listening(answering(_http(json.dumps(document).encode()))) as port:
        text = ask(HOST, port).as_text()
    assert text.splitlines() == [
        "FAULT a, and 1 more finding",
        "FAULT a",
        "  evidence: e",
        "  next: n",
        "WARNING \\x1bb",
        "  evidence: e",
        "  next: n",
        "The prober on c does not answer.",
        "",
        "FROM  TO  PROBE  PLANE  FAMILY  OUTCOME",
        "a     b   tcp    pod    -       no result yet",
        "… and 3 more.",
    ]


def _http(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def test_the_command(start: Start, variables: dict[str, str]) -> None:
    """It prints sentence, evidence and own round, and ends with 0, 1 for a fault, or 2 without a hub.

    JSON has everything.
    """
    start("smoker-prober", "run", **variables)
    with a_hub(GOOD) as (hub, _, _), serving(hub) as port:
        done = _command("--hub", f"{HOST}:{port}", "--wait", "5", **variables)
        assert (done[0], done[1].startswith("HEALTHY ")) == (0, True), done
        assert done[1].rstrip().endswith("All 3 probes from node-1 were answered.")
    with a_hub(BROKEN) as (hub, _, _), serving(hub) as port:
        done = _command("--hub", f"{HOST}:{port}", **variables)
        assert (done[0], done[1].startswith("FAULT node-2: ")) == (1, True), done
        as_json = json.loads(_command("--hub", f"{HOST}:{port}", "--json", **variables)[1])
        assert (as_json["ok"], as_json["hub"]["ok"], len(as_json["hub"]["findings"])) == (True, False, 1)
    waited = _command("--hub", f"{HOST}:1", "--wait", "0.1", **variables)
    assert (waited[0], waited[1].rstrip().splitlines()[-1]) == (2, "All 3 probes from node-1 were answered.")
    done = _command("--hub", f"{HOST}:1", **variables)
    assert (done[0], done[1]) == (2, "")
    assert done[2] == (
        f"smoker-prober: cannot ask the hub: http://{HOST}:1/api/v1/check does not answer: connection refused.\n"
    )


def _command(*arguments: str, **variables: str) -> tuple[int, str, str]:
    """Run the command line. gevent's `subprocess` waits for it, so the hub here can answer."""
    done = command("once", *arguments, **variables)
    return done.returncode, done.stdout, done.stderr
