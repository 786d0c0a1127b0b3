"""The DNS is asked again after half answers: when, how often, and what is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import gevent
import pytest

from smoker_diagnosis.state import AskedAgain
from smoker_prober.config.cluster_dns import by_pod, by_service
from smoker_prober.network import resolv_conf
from smoker_prober.probes import dns
from smoker_prober.probes.followups import look_ups
from smoker_prober.probes.followups.look_ups import AT_ONCE, EACH, GLANCE, LATER, Check, LookUps
from smoker_prober.result import Outcome, Result
from smoker_prober.target import Target
from tests.conftest import eventually
from tests.prober.probes.name_server import answer, serving
from tests.prober.targets import HOST, Made, Stepped, settings_of, target

HALF = dns.Details(HOST, "kubernetes.default", "udp", rcode="NOERROR", unanswered="AAAA")
ALL = AT_ONCE * (1 + EACH)


@pytest.fixture(autouse=True)
def _resolv_conf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolv_conf, "read", lambda: resolv_conf.ResolvConf((HOST,), "cluster.test"))


class Dns:
    """In place of the network: servers whose Service answers half of each look-up while `half`, and its checks."""

    def __init__(self) -> None:
        self.service = by_service("kubernetes.default", "pod")
        self.pods = [by_pod("kubernetes.default", "pod", place=f"n-{n}", address=HOST, port=n) for n in (1, 2, 3)]
        self.servers = [self.service, *self.pods]
        self.half, self.half_pods, self.fails = True, False, False
        self.silent: Target | None = None  # a pod that answers nothing
        self.asked: list[str] = []
        self.found: list[Check] = []
        self.clock = Stepped()
        self.checks = LookUps(self.look_up, lambda: self.servers, self.keep, clock=self.clock.now)

    def look_up(self, asked: Target) -> Result:
        self.asked.append(asked.path.target)
        gevent.sleep(0)
        if self.fails:
            return result(asked, Outcome.LOCAL_ERROR)
        if asked == self.silent:
            return result(asked, Outcome.TIMEOUT)
        half = self.half if asked == self.service else self.half_pods
        return result(asked, Outcome.TIMEOUT, details=HALF) if half else result(asked)

    def keep(self, kept: Target, check: Check) -> None:
        assert kept == self.service
        self.found.append(check)

    def after(self, found: Result, *, seconds: float = 30.0) -> list[Check]:
        """Show a result to the checks, and return what those found that follow it. Then `seconds` pass."""
        before = len(self.found)
        self.checks.after(found)
        eventually("the checks have ended", lambda: not self.checks.running)
        self.clock.passes(seconds)
        return self.found[before:]


def result(of: Target, outcome: Outcome = Outcome.SUCCESS, *, details: dns.Details | None = None) -> Result:
    error = "" if outcome.ok else "no answer"
    return Result(of, "node-1", 0.0, outcome, 0.001, error=error, details=details, began=100.0)


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Dns:
    monkeypatch.setattr(look_ups, "LATER", 0.0)
    return Dns()


def half(servers: Dns) -> Result:
    """Return a look-up by the Service that was half answered."""
    return result(servers.service, Outcome.TIMEOUT, details=HALF)


def test_a_half_answer_is_followed_by_look_ups_of_the_service_and_of_its_pods(servers: Dns) -> None:
    """All are asked, each pod about as often, and once more because half answers are new."""
    check = Check(100.0, AT_ONCE, AT_ONCE, AT_ONCE * EACH, 0)
    assert servers.after(half(servers)) == [check, check]
    asked = Counter(servers.asked[:ALL])
    assert asked["kubernetes.default"] == AT_ONCE
    assert {asked["n-1"], asked["n-2"], asked["n-3"]} <= {10, 11}


def test_pods_that_answer_half_are_counted_apart(servers: Dns) -> None:
    """Loss hits the look-ups at the pods as well."""
    servers.half_pods = True
    assert servers.after(half(servers))[0] == Check(100.0, AT_ONCE, AT_ONCE, AT_ONCE * EACH, AT_ONCE * EACH)


def test_look_ups_at_a_pod_that_answers_nothing_are_counted_apart(servers: Dns) -> None:
    """It is half of the pods, and so it gets half of these look-ups."""
    del servers.servers[-1]
    servers.silent = servers.pods[0]
    assert servers.after(half(servers))[0] == Check(100.0, AT_ONCE, AT_ONCE, 2 * AT_ONCE, 0, AT_ONCE)


def test_a_whole_answer_is_followed_by_nothing(servers: Dns) -> None:
    """Neither by the Service nor at a pod, and a half answer of a pod or of another target is no sign either."""
    other = replace(servers.service, path=servers.service.path._replace(role="external"))
    at_pod, elsewhere = (result(each, Outcome.TIMEOUT, details=HALF) for each in (servers.pods[0], other))
    for each in (result(servers.service), at_pod, elsewhere, result(target(), Outcome.TIMEOUT)):
        assert servers.after(each) == []
    assert servers.asked == []


def test_a_name_that_is_not_found_leads_to_a_glance_first(servers: Dns) -> None:
    """Where the DNS does not answer at all, or answers everything, a few look-ups are all that follows."""
    unresolved = result(target(), Outcome.RESOLVE_ERROR)
    servers.half = False
    assert servers.after(unresolved) == []
    assert servers.asked == ["kubernetes.default"] * GLANCE
    servers.half = True
    assert len(servers.after(unresolved)) == 2


def test_while_half_answers_are_found_each_round_is_followed_by_a_check(servers: Dns) -> None:
    """So the end of a race shows: two checks without half answers, and then nothing more."""
    servers.after(half(servers))
    assert [each.halved for each in servers.after(result(servers.service))] == [AT_ONCE]
    servers.half = False
    assert [each.halved for each in servers.after(result(servers.service))] == [0, 0]
    assert servers.after(result(servers.service)) == []


def test_a_lost_packet_is_followed_by_one_check(servers: Dns) -> None:
    """The check finds no half answer, as was before: nothing has to be asked again."""
    servers.half = False
    assert [each.halved for each in servers.after(half(servers))] == [0]


def test_checks_keep_a_pause(servers: Dns, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many half answers come, no check begins within ten seconds of the one before."""
    servers.half = False
    monkeypatch.setattr(look_ups, "LATER", LATER)
    assert len(servers.after(half(servers), seconds=LATER - 1)) == 1
    assert servers.after(half(servers), seconds=1.0) == []
    assert len(servers.after(half(servers))) == 1


@pytest.mark.parametrize("kept", [0, 1])
def test_without_the_service_or_its_pods_nothing_is_asked(servers: Dns, kept: int) -> None:
    """Only the comparison of both tells a race from loss. The DNS may not be probed, or its pods not be known."""
    servers.servers = servers.servers[:kept]
    assert servers.after(half(servers)) == []
    assert servers.asked == []


def test_errors_of_ones_own_say_nothing(servers: Dns) -> None:
    """A prober that has no socket left has not asked."""
    servers.fails = True
    assert servers.after(half(servers)) == []


def test_a_check_ends_with_the_prober(servers: Dns) -> None:
    """After `close` nothing is kept."""
    servers.checks.after(half(servers))
    servers.checks.close()
    eventually("no check runs", lambda: not servers.checks.running)
    assert servers.found == []


def at(port: int, of: Callable[[], Target]) -> Target:
    return replace(of(), host=HOST, port=port)


def test_the_state_has_what_a_check_found_beside_the_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real servers: the Service loses each query for AAAA, a pod none. Rates and windows have the rounds alone.

    Where this process lacks CPU, a round says nothing, and a look-up of a check is not counted.
    """
    monkeypatch.setattr(look_ups, "LATER", 3600.0)

    def half_of_all(query: object) -> bytes | None:
        return answer(query) if query.question[0].rdtype == 1 else None  # type: ignore[attr-defined,arg-type]

    with serving(udp=half_of_all) as (service, _), serving() as (pod, _):
        by_name = at(service, lambda: by_service("kubernetes.default", "pod"))
        by_place = by_pod("kubernetes.default", "pod", place="node-2", address=HOST, port=pod)
        made = Made(settings_of({"TEST_INTERVAL": "5", "TEST_TIMEOUT": "2"}), {"dns": (by_name,), "pod": (by_place,)})
        made.prober.start()
        try:
            found = eventually(
                "a check has ended",
                lambda: (halves := made.path("kubernetes.default").halves) is not None and halves.again,
            )
        finally:
            made.prober.close()
    assert isinstance(found, AskedAgain)
    assert 0 < found.halved == found.of <= AT_ONCE
    assert 0 < found.of_pods <= AT_ONCE * EACH
    assert found.halved_pods == 0
    path = made.path("kubernetes.default")
    (window,) = [each for each in made.store.snapshot().paths if each.target == "kubernetes.default"]
    assert 0 < path.past < AT_ONCE
    assert 0 < window.results < AT_ONCE
