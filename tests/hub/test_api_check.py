"""The verdict on the whole mesh: `/api/v1/check`, which `helm test` reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from smoker_diagnosis.by_loss import ByLoss
from smoker_diagnosis.state import PathState, State
from smoker_hub.hub import Hub
from smoker_hub.web import check as verdict
from smoker_hub.web.sources import Sources
from smoker_hub.web.stream import Stream
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub.stand_ins import ManualClock, hub_of, probers
from tests.hub.test_api import ask, ask_of

Change = Any


def whole(states: list[State]) -> list[State]:
    """Return these states, of probers that know all others by the API server."""
    return [msgspec.structs.replace(state, api="ok", peers=len(states) - 1) for state in states]


@contextmanager
def looking(states: list[State], looks: int = 2) -> Iterator[Hub]:
    """Return a hub that has looked at probers with these states."""
    with probers(states) as found:
        hub = hub_of(found, ManualClock())
        for _ in range(looks):
            hub.look()
        yield hub


def check(hub: Hub, **options: str) -> Any:
    status, body, _ = ask(hub, "/api/v1/check", **options)
    assert status == 200, body
    return body.decode() if options else json.loads(body)


def with_path(state: State, number: int, **more: object) -> State:
    """Return this state with one changed path."""
    paths = list(state.paths)
    paths[number] = msgspec.structs.replace(paths[number], **more)
    return msgspec.structs.replace(state, paths=paths)


def test_a_whole_mesh_is_good() -> None:
    """The verdict is good without a finding, a missing prober or a failing path. As text it is only the sentence."""
    with looking(whole(Cluster(nodes(3)).states())) as hub:
        found = check(hub)
        assert (found["ok"], found["findings"], found["missing"], found["failing"]) == (True, [], [], [])
        assert check(hub, accept="text/plain") == f"{found['sentence']}\n"
        assert found["sentence"].startswith("HEALTHY ")


def test_a_fault_is_named_with_what_fails() -> None:
    """The verdict has the finding with its sentences, and the failing paths, as JSON and as text."""
    with looking(whole(Cluster(nodes(5)).fail(lambda link: link.touches("node-2")).states())) as hub:
        found = check(hub)
        assert (found["ok"], len(found["findings"])) == (False, 1)
        assert found["sentence"].startswith("FAULT node-2: ")
        assert {"node-2"} < {end for each in found["failing"] for end in (each["source"], each["target"])}
        assert all("node-2" in (each["source"], each["target"]) for each in found["failing"])
        first, second, *rest = check(hub, accept="text/plain").splitlines()
        assert (first.startswith("FAULT node-2: "), second.startswith("FAULT node-2: ")) == (True, True)
        assert any(line.startswith("  evidence: ") for line in rest)
        assert any(line.startswith("FROM ") for line in rest)


def test_a_certificate_that_expires_does_not_count() -> None:
    """A warning about a certificate that expires within 14 days leaves the verdict good, in every form of it."""
    first, *others = whole(Cluster(nodes(3)).states())
    target = PathState("external", "api", "other", "", "tls", last="success", at=first.paths[0].at, attempts=3)
    soon = msgspec.structs.replace(target, expires=2e9, expires_in=10 * 86_400.0)
    with looking([msgspec.structs.replace(first, paths=[*first.paths, soon]), *others]) as hub:
        found = check(hub)
        (incident,) = hub.incidents.open
        assert (incident.finding.kind, incident.finding.severity) == ("certificate", "warning")
        assert (found["ok"], found["findings"]) == (True, [])
        summary = json.loads(ask(hub, "/api/v1/summary")[1])
        assert (summary["state"], summary["open"]) == ("healthy", 1)
        assert summary["sentence"].startswith("HEALTHY no fault on ")
        assert "; target api: its certificate expires on " in summary["sentence"]
        assert b' failures="0" ' in ask(hub, "/api/v1/findings", query="format=junit")[1]


def test_failing_paths_that_loss_explains_are_counted() -> None:
    """The verdict says how many failing paths packet loss explains; paths without a result are none of them."""
    lossy = Cluster(nodes(4)).lose(lambda link: link.touches("node-2"), 9)
    lossy.fail(lambda link: link == ("node-1", "node-2", "pod", "ipv4"), ("udp", "tcp"), rounds=1)
    lossy.fail(lambda link: link == ("node-3", "node-4", "pod", "ipv4"), ("udp",), rounds=1)
    *others, last = whole(lossy.states())
    with looking([*others, with_path(last, 0, last="")]) as hub:
        found = check(hub)
        assert [each["finding"]["kind"] for each in found["findings"]] == ["loss"]
        assert (found["ok"], len(found["failing"]), found["explained_by_loss"]) == (False, 4, 2)
        assert "Packet loss explains 2 failing paths." in check(hub, accept="text/plain").splitlines()
    with looking(whole(Cluster(nodes(3)).states())) as hub:
        assert check(hub)["explained_by_loss"] == 0


def test_what_loss_explains_is_counted_once_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that ask again and again for the verdict of one look cost no further count; the next look does."""
    counts: list[int] = []

    def counted(findings: Any, states: Any) -> ByLoss:
        counts.append(len(findings))
        return ByLoss(findings, states)

    monkeypatch.setattr(verdict, "ByLoss", counted)
    lossy = Cluster(nodes(4)).lose(lambda link: link.touches("node-2"), 9)
    lossy.fail(lambda link: link == ("node-1", "node-2", "pod", "ipv4"), ("udp", "tcp"), rounds=1)
    with looking(whole(lossy.states())) as hub:
        sources = Sources(hub=hub, stream=Stream(hub))
        for looks in (1, 2):
            for _ in range(3):
                assert json.loads(ask_of(sources, "/api/v1/check")[1])["explained_by_loss"] == 2
            assert counts == [1] * looks
            hub.look()


@pytest.mark.parametrize(
    ("changed", "sentence", "failing"),
    [
        ({"last": ""}, "UNCLEAR no result yet from 1 of 108 paths", 1),
        ({"last": "timeout", "failures": {"timeout": 1}, "streak": 1}, "UNCLEAR the last probe of 1 of 108 paths", 1),
    ],
)
def test_a_path_without_success_is_not_good(changed: dict[str, Any], sentence: str, failing: int) -> None:
    """A path without a result and one that failed once are no fault, but the verdict is not good."""
    first, *others = whole(Cluster(nodes(3)).states())
    with looking([with_path(first, 0, **changed), *others]) as hub:
        found = check(hub)
        assert (found["ok"], found["sentence"][: len(sentence)], len(found["failing"])) == (False, sentence, failing)


def test_a_prober_without_all_peers_is_reported_as_missing() -> None:
    """If a prober does not know all others, as right after an installation, the mesh is not complete."""
    first, *others = whole(Cluster(nodes(3)).states())
    with looking([msgspec.structs.replace(first, peers=1), *others]) as hub:
        found = check(hub)
        why = f"the prober on {first.node} ({first.network}) knows 1 of {len(others)} other probers"
        assert (found["ok"], found["missing"], found["sentence"]) == (False, [why], f"UNCLEAR {why}")
        assert check(hub, accept="text/plain") == f"UNCLEAR {why}\n"


def test_a_silent_prober_is_missing_before_it_is_a_finding() -> None:
    """A silent prober is missing, with the reason, before it is a finding."""
    states = whole(Cluster(nodes(3), host=False).states())
    with probers(states) as found:
        hub = hub_of(found, ManualClock())
        hub.look()
        found[0].server.stop(timeout=0)
        hub.look()
        verdict = check(hub)
    assert (verdict["ok"], verdict["findings"]) == (False, [])
    (why,) = verdict["missing"]
    assert why.startswith(f"the prober on {states[0].node} (pod) does not answer the hub: ")


def test_before_the_first_look_nothing_is_good() -> None:
    """The verdict of a hub that has just started is not good."""
    with looking(whole(Cluster(nodes(3)).states()), looks=0) as hub:
        found = check(hub)
        assert (found["ok"], found["sentence"]) == (False, "STARTING no prober is known yet")
        assert found["missing"] == ["no prober is known yet"]
        assert check(hub, accept="text/plain") == f"{found['sentence']}\n"


def test_a_target_of_the_user_does_not_count() -> None:
    """A target of the user does not count for the mesh, as with `once --mesh`."""
    away = PathState(
        "external",
        "registry",
        "other",
        "",
        "tcp",
        last="timeout",
        at=95.0,
        attempts=3,
        failures={"timeout": 3},
        streak=3,
    )
    states = whole(Cluster(nodes(3), host=False).states())
    states = [msgspec.structs.replace(state, paths=[*state.paths, away]) for state in states]
    with looking(states) as hub:
        assert [each.finding.kind for each in hub.incidents.open] == ["target"]
        assert check(hub)["ok"] is True
