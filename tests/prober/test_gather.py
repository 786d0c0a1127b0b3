"""The knowledge of all probers together, and the output of `once --mesh`."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from smoker_diagnosis.state import PathState, State, encode
from smoker_diagnosis.whole import missing_of
from smoker_prober.gather import ask as gathering
from smoker_prober.gather.ask import gather
from smoker_prober.gather.judge import Gathered
from smoker_prober.gather.table import SHOWN, as_text
from smoker_prober.store.state import STATE
from tests.conftest import BIN, Start
from tests.prober.targets import answering, listening
from tests.relay import refusing

NODES = ("a", "b", "c", "d")
ERROR = "wait: no answer within 5 s"


def path(target: str, probe: str = "tcp", *, bad: bool = False, role: Any = "peer", **more: Any) -> PathState:
    """Return a path as in a state; a bad one has failed for two rounds."""
    facts: dict[str, Any] = {"last": "success", "at": 95.0, "attempts": 3}
    if bad:
        facts |= {"last": "timeout", "failures": {"timeout": 2}, "streak": 2, "since": 65.0, "error": ERROR}
    plane, family = ("pod", "ipv4") if role == "peer" else ("service", "") if role == "service" else ("other", "")
    return PathState(role, target, plane, family, probe, **(facts | more))


def state(node: str, *paths: PathState, peers: int | None = None, **more: Any) -> State:
    """Return the state of a prober that also probes the echo services."""
    number = len({each.target for each in paths}) if peers is None else peers
    fixed = path("smoker-server:8080", role="service")
    facts: dict[str, Any] = {"at": 100.0, "interval": 30.0, "timeout": 5.0, "api": "ok", "peers": number} | more
    return State(node=node, paths=[*paths, fixed], **facts)


def mesh(bad: str = "", **more: Any) -> list[State]:
    """Return a full mesh of four nodes; every path to or from `bad` fails."""
    return [
        state(one, *(path(other, bad=bad in (one, other), **more) for other in NODES if other != one)) for one in NODES
    ]


def gathered(*states: State, tolerated: tuple[str, ...] = ()) -> Gathered:
    return Gathered(states, list(missing_of(states)), tolerated)


@contextlib.contextmanager
def prober(said: bytes) -> Iterator[int]:
    """Run an admin port that answers with this document."""
    with listening(answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))) as port:
        yield port


def test_a_complete_healthy_mesh_is_good() -> None:
    """The output is one sentence.

    Paths to the echo services count; other targets do not, because they are not Smoker's.
    """
    states = mesh()
    states[0].paths.append(path("api", role="external", bad=True, streak=1))
    found = gathered(*states)
    assert found.ok
    assert as_text(found) == "HEALTHY all 16 paths of 4 probers work"
    for each in states:
        each.paths.append(path("ingress", role="external", bad=True))
    silent = gathered(*states)
    assert silent.ok
    assert [each.kind for each in silent.findings] == ["target"]


def test_a_certificate_that_expires_does_not_count() -> None:
    """A warning about a certificate that expires within 14 days is shown and leaves the mesh good, as in the hub."""
    states = mesh()
    states[0].paths.append(path("api", "tls", role="external", expires=2e9, expires_in=10 * 86_400.0))
    found = gathered(*states)
    assert [(each.kind, each.severity) for each in found.findings] == [("certificate", "warning")]
    assert found.ok
    assert as_text(found).startswith("HEALTHY no fault on ")
    assert "\nWARNING target api: its certificate expires on " in as_text(found)


def test_a_certificate_that_expires_hides_no_failure() -> None:
    """Beside a path that failed once, the first sentence is that of the failure."""
    states = mesh()
    states[0].paths.append(path("api", "tls", role="external", expires=2e9, expires_in=10 * 86_400.0))
    states[0].paths[0] = msgspec.structs.replace(states[0].paths[0], last="timeout", streak=1, failures={"timeout": 1})
    found = gathered(*states)
    assert not found.ok
    first = as_text(found).partition("\n")[0]
    assert first == "UNCLEAR the last probe of 1 of 16 paths failed: too little to name a fault"
    assert "\nWARNING target api: its certificate expires on " in as_text(found)


def test_the_fault_comes_first() -> None:
    """The sentence comes first, then evidence and next steps, then the failing paths, and the counts last."""
    found = gathered(*mesh("b"))
    headline, *rest, space, last = as_text(found).splitlines()
    assert not found.ok
    assert headline.startswith("FAULT b: ")
    assert rest[0].startswith("  evidence: ")
    assert (space, last) == ("", "1 finding from 16 paths of 4 probers.")
    assert any("6 of 6 pod paths" in line for line in rest)
    assert any(line.strip().startswith("next: kubectl") for line in rest)
    head = next(number for number, line in enumerate(rest) if line.startswith("FROM"))
    assert rest[head].split() == ["FROM", "TO", "PROBE", "PLANE", "FAMILY", "OUTCOME", "FOR", "ERROR"]
    assert all(line.endswith(f"timeout  35 s  {ERROR}") for line in rest[head + 1 :])
    assert [row.split()[:2] for row in rest[head + 1 :]] == [
        ["a", "b"],
        ["b", "a"],
        ["b", "c"],
        ["b", "d"],
        ["c", "b"],
        ["d", "b"],
    ]


def test_the_gravest_of_several_faults_comes_first() -> None:
    """The first sentence names it and counts the others. Each has its own headline, and the counts are last."""
    states = mesh("b")
    states[0].paths.append(path("api", "tls", role="external", expires=2e9, expires_in=10 * 86_400.0))
    lines = as_text(gathered(*states)).splitlines()
    assert lines[0].startswith("FAULT b: ")
    assert lines[0].endswith(", and 1 more finding")
    headlines = [line for line in lines[1:] if line.startswith(("FAULT ", "WARNING "))]
    assert [each.partition(":")[0] for each in headlines] == ["FAULT b", "WARNING target api"]
    assert lines[-1] == "2 findings from 16 paths of 4 probers."


def test_a_single_failure_names_nobody() -> None:
    """A single failure is a row, fails the command, and names no node."""
    states = mesh()
    states[0] = state("a", path("b", bad=True, streak=1, failures={"timeout": 1}), path("c"), path("d"))
    found = gathered(*states)
    assert not found.ok
    assert found.findings == []
    first, *table = as_text(found).splitlines()
    assert first == "UNCLEAR the last probe of 1 of 16 paths failed: too little to name a fault"
    assert (table[-1].split()[:3], len(table)) == (["a", "b", "tcp"], 3)


def test_a_path_without_a_result_is_reported() -> None:
    """It is named in the first sentence and listed after those that fail: the mesh is not healthy yet."""
    states = mesh()
    states[0] = state("a", path("b", last="", at=0.0, attempts=0), path("c"), path("d"))
    found = gathered(*states)
    assert not found.ok
    assert as_text(found).partition("\n")[0] == "UNCLEAR no result yet from 1 of 16 paths"
    states[1] = state("b", path("a", bad=True, streak=1, failures={"timeout": 1}), path("c"), path("d"))
    rows = [line.split() for line in as_text(gathered(*states)).splitlines()[3:]]
    assert [(*each[:2], each[5]) for each in rows] == [("b", "a", "timeout"), ("a", "b", "no")]


def test_loss_fails_unless_it_is_tolerated() -> None:
    """If every probe is answered and packets of trains are lost, the command fails unless loss is tolerated.

    The loss is always shown.
    """
    losing = [
        state(
            one,
            *(path(other, "udp", sent=30, lost=9 if "b" in (one, other) else 0) for other in NODES if other != one),
        )
        for one in NODES
    ]
    found = gathered(*losing)
    assert not found.ok
    assert [each.kind for each in found.findings] == ["loss"]
    lenient = gathered(*losing, tolerated=("loss",))
    assert lenient.ok
    assert "packet loss" in as_text(lenient)


def _losing(failing: dict[str, Any] | None = None, source: str = "a") -> list[State]:
    """Return a mesh whose node b loses packets. The UDP path from `source` to b, or to a, fails like `failing`."""
    udp = {
        one: {other: path(other, "udp", sent=30, lost=9 * ("b" in (one, other))) for other in NODES} for one in NODES
    }
    if failing is not None:
        target = "b" if source != "b" else "a"
        udp[source][target] = msgspec.structs.replace(udp[source][target], **failing)
    return [state(one, *(each for other, each in udp[one].items() if other != one)) for one in NODES]


FAILS_ONCE = {"last": "timeout", "failures": {"timeout": 1}, "streak": 1, "since": 95.0, "error": ERROR}


def test_a_path_that_tolerated_loss_explains_does_not_count() -> None:
    """A probe of the lossy place that gets no answer is shown; it fails the command only if loss is not tolerated."""
    for source in ("a", "b"):
        states = _losing(FAILS_ONCE, source)
        assert not gathered(*states).ok
        lenient = gathered(*states, tolerated=("loss",))
        assert ([each.kind for each in lenient.findings], len(lenient.failing), lenient.by_loss) == (["loss"], 1, 1)
        assert lenient.ok
        assert "Packet loss explains 1 failing path." in as_text(lenient).splitlines()
        assert as_text(lenient).splitlines()[-3].split()[:3] == [source, "b" if source == "a" else "a", "udp"]


@pytest.mark.parametrize(
    "failing",
    [
        {"last": "refused", "failures": {"refused": 1}, "streak": 1},  # an answer is no lost packet
        {"last": "timeout", "failures": {"timeout": 3}, "streak": 20},  # 0.3 to the power of 20
    ],
)
def test_a_path_that_loss_does_not_explain_counts(failing: dict[str, Any]) -> None:
    """A path of the lossy place that fails for another reason fails the command, also if loss is tolerated."""
    found = gathered(*_losing(FAILS_ONCE | failing), tolerated=("loss",))
    assert (len(found.failing), found.by_loss, found.ok) == (1, 0, False)


def test_a_path_beside_tolerated_loss_counts() -> None:
    """A path between two nodes that lose nothing fails the command, also if loss is tolerated."""
    states = _losing()
    states[0] = msgspec.structs.replace(
        states[0],
        paths=[msgspec.structs.replace(each, **FAILS_ONCE) if each.target == "c" else each for each in states[0].paths],
    )
    found = gathered(*states, tolerated=("loss",))
    assert (len(found.failing), found.by_loss, found.ok) == (1, 0, False)


def test_a_long_table_is_cut() -> None:
    """Of thousands of rows the first are shown, and the number of the others."""
    bad = [path(f"n{number}", bad=True) for number in range(SHOWN + 7)]
    found = gathered(state("a", *bad), state("b", path("a")))
    lines = as_text(found).splitlines()
    assert sum(line.startswith("a ") for line in lines) == SHOWN
    assert lines[-3:-1] == ["… and 7 more.", ""]
    assert lines[-1].startswith(f"{len(found.findings)} finding")


@pytest.mark.parametrize(
    ("states", "words"),
    [
        (
            [state("a", path("b"), peers=2), state("b", path("a"))],
            "UNCLEAR the prober on a (pod) knows 2 other probers, but 1 of them answer here",
        ),
        (
            [state("a", path("b")), state("b", path("a"), peers=0)],
            "UNCLEAR the prober on b (pod) knows 0 of 1 other probers",
        ),
        ([state("a", api=""), state("b", path("a"))], "UNCLEAR the prober on a (pod) has no mesh"),
        (
            [state("a", path("b"), path("c")), state("b", path("a"), path("c"))],
            "UNCLEAR the prober on c (pod) does not answer here, and 2 other probers probe it",
        ),
    ],
)
def test_missing_probers_are_reported(states: list[State], words: str) -> None:
    """A prober that knows too few peers, does not answer, or has no mesh is named in the first sentence."""
    found = gathered(*states)
    assert not found.ok
    assert as_text(found).partition("\n")[0] == words


def test_the_first_sentence_is_not_repeated() -> None:
    """What else is missing follows, each a sentence."""
    found = Gathered([state("a", path("b")), state("b", path("a"))], ["nothing on c answers", "d is silent"])
    assert as_text(found).splitlines() == ["UNCLEAR nothing on c answers", "D is silent."]


def test_names_from_outside_are_text() -> None:
    """A node's name from outside cannot move a terminal's cursor nor forge a line."""
    states = [state("a", path("b\x1b[2J\nHEALTHY", bad=True)), state("c\x1b[2J", path("a", bad=True))]
    told = as_text(gathered(*states))
    assert "\x1b" not in told
    assert all(line.isprintable() for line in told.splitlines())


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (encode(mesh()[0]).replace(b'"pod","ipv4"', b"null,null"), "does not send a state that can be read"),
        (encode(mesh()[0]).replace(b'"version":1', b'"version":7'), "version 7, this program reads version 1"),
        (b"[" * 100_000, "does not send a state that can be read"),
        (b"<html>", "does not send a state that can be read"),
        (b"{}", "does not send a state that can be read"),
    ],
)
def test_a_malformed_answer_costs_no_other_answer(said: bytes, why: str) -> None:
    """The other states are there, and one sentence names the malformed one."""
    one, two = encode(state("a", path("b"))), encode(state("b", path("a")))
    with prober(one) as first, prober(two) as second, prober(said) as bad:
        found = gather([("127.0.0.1", port) for port in (first, bad, second)])
    assert [each.node for each in found.states] == ["a", "b"]
    (sentence,) = (each for each in found.missing if f":{bad}/" in each)
    assert why in sentence
    assert not found.ok


def test_many_malformed_answers_are_one_sentence() -> None:
    """Equal errors of all probers are one sentence."""
    with contextlib.ExitStack() as probers:
        ports = [probers.enter_context(prober(b'{"version": 2}')) for _ in range(5)]
        found = gather([("127.0.0.1", port) for port in ports])
    (sentence,) = found.missing
    assert "(so do 4 more: http://" in sentence
    assert "version 2" in sentence


def test_no_prober_behind_the_name_is_an_error() -> None:
    """A Service behind which nothing listens gives one sentence and no state."""
    with refusing() as port:
        found = gather([("127.0.0.1", port)])
    why = f"no prober behind 127.0.0.1:{port} answers (1 address: connection refused)"
    assert (list(found.states), found.missing) == ([], [why])


def test_silent_probers_end_with_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """If no prober answers in time, the look ends, however many addresses there are."""
    monkeypatch.setattr(gathering, "FIRST", 0.2)

    def reads(sock: socket.socket) -> None:
        while sock.recv(100):
            pass

    with listening(reads) as silent:
        found = gather([("127.0.0.1", silent)])
    assert found.missing == [f"no prober behind 127.0.0.1:{silent} answers (1 address: nothing arrived within 0.2 s)"]


def command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the prober's command line until it ends."""
    environ = os.environ | variables
    line = [str(BIN / "smoker-prober"), *arguments]
    return subprocess.run(line, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_asks_real_probers(start: Start, variables: dict[str, str]) -> None:
    """`once --mesh` prints the probers' knowledge at once, runs its own round, and fails with either."""
    port = start("smoker-prober", "run", **variables).ports["ADMIN_PORT"]
    meshes = ("--mesh", f"127.0.0.1:{port}", "--mesh", "127.0.0.1:1")
    done = command("once", *meshes, **(variables | {"TEST_TIMEOUT": "1"}))
    assert done.returncode == 1
    assert done.stdout.startswith("UNCLEAR no prober behind 127.0.0.1:1 answers (1 address: connection refused)\n")
    assert "The prober on node-1 (pod) has no mesh." in done.stdout
    assert done.stdout.rstrip().endswith("All 3 probes from node-1 were answered.")
    as_json = json.loads(command("once", "--json", *meshes, **(variables | {"TEST_TIMEOUT": "1"})).stdout)
    assert (as_json["ok"], as_json["mesh"]["ok"], as_json["mesh"]["probers"]) == (True, False, 1)


def test_once_mesh_without_an_answer_exits_with_2() -> None:
    """It prints one sentence with exit code 2, without a round, which a dead DNS would make long."""
    done = command("once", "--mesh", "127.0.0.1:1", SERVER_HOST="nobody.invalid")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "smoker-prober: cannot ask the probers: no prober behind 127.0.0.1:1 answers (1 address: connection refused).\n"
    )
    assert STATE not in done.stderr


def test_without_a_command_help_is_printed() -> None:
    """`smoker-prober` alone prints its help."""
    done = command()
    assert done.returncode == 0
    assert done.stdout.startswith("usage: smoker-prober")
