"""The state that a prober serves to the hub."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import replace
from typing import Any

import pytest

from smoker_diagnosis.flows import Flows
from smoker_diagnosis.path_mtu import PathMtu
from smoker_diagnosis.state import (
    Bandwidth,
    EchoMove,
    FailingFlows,
    HalfAnswers,
    LastFailure,
    Left,
    State,
    Traced,
    decode,
)
from smoker_diagnosis.state import KeptFlow as FailingKeptFlow
from smoker_diagnosis.train import Train
from smoker_prober.peers.direction import last_heard
from smoker_prober.probes import dns, trace
from smoker_prober.result import KeptFlow, Method, Outcome, Result, Rtt
from smoker_prober.store import Store
from smoker_prober.store.identity import Identity
from smoker_prober.store.mesh_state import MeshState
from smoker_prober.store.record import REMEMBERED
from smoker_prober.store.state import STATE, Heard
from smoker_prober.target import Path, Target, service_path
from tests.conftest import Start
from tests.prober.targets import peer_path

PEER = peer_path(zone="zone-b")


class Now:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    now = __call__


def sink(**more: Any) -> Store:
    return Store(Identity("node-1"), clock=more.pop("clock", Now()), waited=more.pop("waited", lambda: 0.0))


def hearing(times: dict[str, float]) -> Heard:
    """Return when the peers on two nodes were heard, by the instants of their addresses."""
    addresses = [("10.0.0.2", "node-2", "pod", "ipv4"), ("10.0.0.3", "node-3", "pod", "ipv4")]
    return lambda nodes: last_heard(times.get, [each for each in addresses if nodes is None or each[1] in nodes])


def made(outcome: Outcome = Outcome.SUCCESS, probe: str = "tcp", began: float = 990.0, **more: Any) -> Result:
    """Return a result of the path to the peer."""
    error = "" if outcome.ok else "wait: why"
    return Result(
        Target(probe, "10.0.0.2", 8080, PEER), "node-1", 0.0, outcome, 0.002, error=error, began=began, **more
    )


def read(found: Store) -> State:
    """Return the state as the hub reads it."""
    return decode(found.document()[1])


def test_an_expected_path_is_there_before_its_first_result() -> None:
    """It is described, and has no data yet."""
    state = sink()
    state.expect("tcp", PEER)
    state.expect("tcp", service_path("smoker-server", 8080))
    state.expect("http", Path("external", "livez", "other"))
    peer, service, other = read(state).paths
    assert (peer.role, peer.target, peer.plane, peer.family, peer.zone, peer.last) == (
        "peer",
        "node-2",
        "pod",
        "ipv4",
        "zone-b",
        "",
    )
    assert (service.role, service.plane, other.role, other.plane) == ("service", "service", "external", "other")


def test_counts_cover_the_last_three_rounds() -> None:
    """Older results no longer count. A streak begins with its first failure and ends with a success."""
    state = sink()
    for outcome, began in (
        (Outcome.TIMEOUT, 1.0),
        (Outcome.SUCCESS, 2.0),
        (Outcome.TIMEOUT, 3.0),
        (Outcome.REFUSED, 4.0),
    ):
        state.keep(made(outcome, began=began))
    (path,) = read(state).paths
    assert (path.attempts, path.failures) == (3, {"timeout": 1, "refused": 1})
    assert (path.last, path.at, path.streak, path.since) == ("refused", 4.0, 2, 3.0)


def test_a_confirmation_lengthens_the_streak_and_no_rate() -> None:
    """It shows that a failure lasts; how often the path fails is counted by rounds."""
    state = sink()
    state.keep(made(Outcome.TIMEOUT, began=1.0))
    state.keep(made(Outcome.TIMEOUT, began=3.0, confirms=True))
    (path,) = read(state).paths
    assert (path.attempts, path.failures, path.streak, path.since) == (1, {"timeout": 1}, 2, 1.0)


def test_a_second_train_soon_after_one_that_lost_packets_counts_its_packets() -> None:
    """They are packets like others. Rates by rounds, which are the history's, count the first train alone."""
    state = sink()
    lossy, whole = (Train(10, lost, 0, 0, 0, lost, 0, (), None) for lost in (2, 0))
    state.keep(made(probe="udp", began=0.0, train=whole))
    state.keep(made(probe="udp", began=30.0, train=lossy))
    state.keep(made(probe="udp", began=41.0, train=lossy, confirms=True))
    (path,) = read(state).paths
    assert (path.sent, path.lost, path.lost_at, path.past, path.lossy) == (30, 4, 41.0, 2, 1)
    assert path.counted == ((0.0, 10), (30.0, 10), (41.0, 10))
    state.keep(made(Outcome.TIMEOUT, probe="udp", began=60.0))
    state.keep(made(probe="udp", began=63.0, train=whole, confirms=True))  # it repeats a failed probe
    (path,) = read(state).paths
    assert (path.sent, path.lost, path.attempts, path.failures, path.past) == (30, 4, 3, {"timeout": 1}, 3)
    state.keep(made(probe="udp", began=90.0, train=whole))
    state.keep(made(probe="udp", began=120.0, train=whole))  # the lossy round leaves, and its second train with it
    (path,) = read(state).paths
    assert (path.sent, path.lost, path.attempts, path.counted) == (20, 0, 3, ())


def test_the_history_counts_short_streaks_that_are_over() -> None:
    """It covers 120 rounds. A streak counts once it is over, unless it has three rounds and is an outage."""
    state = sink()

    def history() -> tuple[int, int]:
        (path,) = read(state).paths
        return path.past, path.flaps

    state.keep(made(Outcome.TIMEOUT, began=0.0))
    state.keep(made(Outcome.TIMEOUT, began=2.0, confirms=True))
    assert history() == (1, 0)
    state.keep(made(began=30.0))
    assert history() == (2, 1)
    state.keep(made(Outcome.MTU, began=60.0))
    state.keep(made(began=90.0))
    assert history() == (4, 1)  # not every round tries a large packet: the end of its verdict is the end of nothing
    for number in range(4, 7):
        state.keep(made(Outcome.TIMEOUT, began=30.0 * number))
    state.keep(made(began=210.0))
    assert history() == (8, 1)
    for number in range(8, 130):
        state.keep(made(began=30.0 * number))
    assert history() == (120, 0)


def test_the_history_counts_trains_that_lost_packets() -> None:
    """Such a train counts for 120 rounds, up to a maximum."""
    state = sink()
    for number in range(130):
        state.keep(made(probe="udp", began=10.0 * number, train=Train(10, 1, 0, 0, 0, 1, 0, (), None)))
    assert read(state).paths[0].lossy == 120
    state.keep(made(probe="udp", began=5000.0, train=Train(10, 0, 0, 0, 0, 0, 0, (), None)))
    assert read(state).paths[0].lossy == 0


def test_a_local_error_does_not_count_for_the_path() -> None:
    """It is the last result, and neither an attempt nor a failure."""
    state = sink()
    state.keep(made())
    state.keep(made(Outcome.LOCAL_ERROR))
    (path,) = read(state).paths
    assert (path.last, path.attempts, path.failures, path.streak) == ("local_error", 1, {}, 0)


def test_packets_sizes_and_times() -> None:
    """The state has packets by direction, the verdict on large packets, and percentiles of round trips."""
    state = sink()
    train = Train(10, 3, 0, 0, 0, 2, 1, (), None)
    for milliseconds in (1, 2, 3):
        rtt = Rtt(milliseconds / 1000, Method.KERNEL)
        state.keep(made(probe="udp", train=train, rtt=rtt, path_mtu=PathMtu(1450, 1400)))
    (path,) = read(state).paths
    assert (path.sent, path.lost, path.requests_lost, path.replies_lost) == (30, 9, 6, 3)
    assert (path.large, path.mtu, path.passes, path.large_at) == ("black_hole", 1450, 1400, 990.0)
    assert (path.rtt_p50, path.rtt_p99) == (0.002, 0.003)


def test_the_state_says_when_packets_were_lost_last() -> None:
    """An unanswered PING counts like a lossy train; where no packet is counted as lost, there is no instant."""
    state, found = sink(), list[float]()
    for number, lost in enumerate((2, None, 0, 0, 0)):
        train = None if lost is None else Train(10, lost, 0, 0, 0, lost, 0, (), None)
        outcome = Outcome.TIMEOUT if train is None else Outcome.SUCCESS
        state.keep(made(outcome, probe="udp", began=900.0 + number, train=train))
        found.append(read(state).paths[0].lost_at)
    assert found == [900.0, 0.0, 901.0, 0.0, 0.0]


def test_a_lost_train_has_no_direction() -> None:
    """Without any answer the direction of the loss is unknown."""
    state = sink()
    state.keep(made(probe="udp", train=Train(10, 10, 0, 0, 0, 10, 0, (), None)))
    (path,) = read(state).paths
    assert (path.lost, path.requests_lost, path.replies_lost) == (10, 0, 0)


def test_a_peer_has_failed_if_nothing_worked_since_the_first_failure() -> None:
    """Paths that were not probed since then do not count. One refusal is not enough, and a later success ends it."""
    state = sink()
    for probe in ("tcp", "udp", "http"):
        state.keep(made(probe=probe, began=990.0))
    assert not state.failing("node-2", "pod")
    state.keep(made(Outcome.REFUSED, began=1000.0))
    assert not state.failing("node-2", "pod")
    state.keep(made(Outcome.TIMEOUT, began=1002.0))
    assert state.failing("node-2", "pod")
    assert not state.failing("node-2", "host")
    state.keep(made(Outcome.LOCAL_ERROR, probe="udp", began=1003.0))
    assert state.failing("node-2", "pod")
    state.keep(made(probe="http", began=1005.0))
    assert not state.failing("node-2", "pod")


CLEAN, LOSSY = Train(10, 0, 0, 0, 0, 0, 0, (), None), Train(10, 6, 0, 0, 0, 2, 4, (), None)


def after(*rounds: Train | None) -> tuple[int, int]:
    """Return the packets sent and lost after rounds with these trains; None: a PING without an answer."""
    state = sink()
    for number, train in enumerate(rounds):
        outcome = Outcome.TIMEOUT if train is None else Outcome.SUCCESS
        state.keep(made(outcome, probe="udp", began=990.0 + number, train=train))
    (path,) = read(state).paths
    assert path.requests_lost + path.replies_lost == path.lost
    return path.sent, path.lost


@pytest.mark.parametrize("rounds", [(CLEAN, LOSSY, None), (LOSSY, None, None), (LOSSY, None)])
def test_the_train_cut_by_an_outage_is_not_loss(rounds: tuple[Train | None, ...]) -> None:
    """The last train before an outage loses packets to the outage: a lossy path would have lost some before it."""
    assert after(*rounds)[1] == 0


@pytest.mark.parametrize(
    ("rounds", "lost"),
    [
        ((CLEAN, LOSSY), 6),
        ((LOSSY, LOSSY, None), 12),
        ((LOSSY, None, LOSSY), 12),
        ((LOSSY, CLEAN, None), 6),
        ((None, LOSSY, None), 6),
        ((LOSSY, None, CLEAN), 6),
    ],
)
def test_loss_without_an_outage_counts(rounds: tuple[Train | None, ...], lost: int) -> None:
    """Packets lost by a path that goes on, in several trains, or after a PING that failed before, are loss."""
    assert after(*rounds)[1] == lost


def test_the_tag_changes_with_the_state_alone() -> None:
    """The tag stays while the state does. A result changes it, and no other process has the same tag."""
    state = sink()
    state.keep(made())
    first = state.document()
    assert state.document() == first
    state.keep(made())
    assert state.document()[0] != first[0]
    other = sink()
    other.keep(made())
    assert other.document()[0] != first[0]


def test_what_the_mesh_knows_changes_the_tag() -> None:
    """What changes beside the results is in the next document, with another tag; nothing else is made again."""
    state, made_at = sink(), 0

    def mesh_state() -> MeshState:
        return MeshState(api="ok", peers=made_at, echoes={"tcp": ["node-1"]})

    state.mesh_state = mesh_state
    tags = [state.document()[0]]

    def changed() -> State:
        before = tags[-1]
        found, body = state.document()
        assert (found != before, state.document()) == (True, (found, body))
        tags.append(found)
        return decode(body)

    state.zone = "zone-a"
    assert changed().zone == "zone-a"
    made_at = 3
    assert changed().peers == 3
    state.mesh_state = lambda: MeshState(api="unanswered", left=(Left("node-2", "pod", 1.0, True),))
    found = changed()
    assert (found.api, found.left) == ("unanswered", [Left("node-2", "pod", 1.0, True)])
    state.mesh_state = lambda: MeshState(echoes={"tcp": ["node-2"]}, moves={"tcp": EchoMove(1.0, 1.0, ["node-1"])})
    assert changed().moves["tcp"].before == ["node-1"]
    state.dns_pods = {"node-1": "kube-system/coredns"}
    assert changed().dns_pods == {"node-1": "kube-system/coredns"}
    state.bandwidth = lambda: (Bandwidth("node-2", "pod", "ipv4", 1.0, 2e6, 2e6),)
    assert [each.node for each in changed().bandwidth] == ["node-2"]
    assert len(set(tags)) == len(tags)


def test_when_a_peer_was_heard_changes_the_tag_where_its_path_fails() -> None:
    """Each probe of a peer moves the instant. It says in which direction packets are lost: it counts where some are."""
    times, state = {"10.0.0.2": 5.0, "10.0.0.3": 5.0}, sink()
    state.heard = hearing(times)
    state.keep(made())
    tag, _ = state.document()
    times.update({"10.0.0.2": 6.0, "10.0.0.3": 6.0})
    assert state.document()[0] == tag
    state.keep(made(Outcome.TIMEOUT))
    tag, _ = state.document()
    times["10.0.0.3"] = 7.0
    assert state.document()[0] == tag
    times["10.0.0.2"] = 8.0
    again, body = state.document()
    assert again != tag
    assert {each.node: each.at for each in decode(body).heard} == {"node-2": 8.0, "node-3": 7.0}
    state.keep(made())
    tag, _ = state.document()
    times["10.0.0.2"] = 9.0
    assert state.document()[0] == tag


def test_the_error_of_the_last_failure() -> None:
    """A path has why its last probe failed, in at most 200 characters, until a probe is answered."""
    state = sink()
    for outcome, error, kept in (
        (Outcome.TIMEOUT, "wait: why", "wait: why"),
        (Outcome.BAD_REPLY, "x" * 5000, "x" * 200),
        (Outcome.SUCCESS, "", ""),
    ):
        state.keep(replace(made(outcome), error=error))
        (path,) = read(state).paths
        assert path.error == kept


def test_a_forgotten_path_is_gone() -> None:
    """A forgotten path is not in the state and does not make a node fail."""
    state = sink()
    for probe in ("tcp", "udp"):
        state.keep(made(Outcome.TIMEOUT, probe=probe))
    assert state.failing("node-2", "pod")
    assert not state.failing("node-2", "host")
    for probe in ("tcp", "udp"):
        state.forget(probe, PEER)
    assert read(state).paths == []
    assert not state.failing("node-2", "pod")


def test_a_prober_without_cpu_says_so() -> None:
    """A quarter of the time spent waiting for a CPU sets the flag, which is cleared afterwards."""
    now, waited = Now(), Now()
    state = sink(clock=now, waited=waited)
    now.seconds += 10
    waited.seconds += 4
    assert read(state).starved
    now.seconds += 10
    assert not read(state).starved


def test_the_state_lists_the_peers_that_were_heard() -> None:
    """A peer whose address was heard is there with the instant; others are not."""
    state = sink()
    state.heard = hearing({"10.0.0.2": 5.0})
    assert [(each.node, each.at) for each in read(state).heard] == [("node-2", 5.0)]


def test_it_is_served_with_a_tag(start: Start) -> None:
    """`GET /api/v1/state` returns the document and its ETag. A client that has it gets a 304 without a body."""
    variables = {"SERVER_HOST": "127.0.0.1", "TEST_TIMEOUT": 0.2, "TCP_PORT": 0, "UDP_PORT": 0, "HTTP_PORT": 0}
    process = start("smoker-prober", "run", **variables)
    url = f"http://127.0.0.1:{process.ports['ADMIN_PORT']}{STATE}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        tag, state = answer.headers["ETag"], decode(answer.read())
    assert {path.probe: path.last for path in state.paths} == dict.fromkeys(("tcp", "udp", "http"), "refused")
    request = urllib.request.Request(url, headers={"If-None-Match": f'W/"other", {tag}'})
    with pytest.raises(urllib.error.HTTPError) as unchanged:
        urllib.request.urlopen(request, timeout=5)
    with unchanged.value as answer:
        assert (answer.code, answer.read(), answer.headers["ETag"]) == (304, b"", tag)


def test_a_connection_without_an_answer() -> None:
    """That TCP connected is known until the path works again: it distinguishes a hanging peer from a broken path."""
    state = sink()
    state.keep(made(Outcome.TIMEOUT, phases={"resolve": 0.0, "connect": 0.001, "send": 0.0, "wait": 5.0}))
    assert read(state).paths[0].connected
    state.keep(made(Outcome.TIMEOUT, phases={"resolve": 0.0, "connect": 5.0}))
    assert read(state).paths[0].connected
    state.keep(made())
    state.keep(made(Outcome.TIMEOUT, phases={"resolve": 0.0, "connect": 5.0}))
    assert not read(state).paths[0].connected


def test_a_datagram_connects_nothing() -> None:
    """UDP has no handshake, so a sent datagram says nothing about the peer's kernel."""
    state = sink()
    state.keep(made(Outcome.TIMEOUT, "udp", phases={"resolve": 0.0, "send": 0.0, "wait": 5.0}))
    assert not read(state).paths[0].connected


def test_the_last_failure_stays_for_ten_minutes() -> None:
    """A success does not hide it, and a local error does not count. Each failure has its number and cause."""
    state = sink()
    state.keep(made(began=10.0))
    assert read(state).paths[0].last_failure is None
    state.keep(made(Outcome.TIMEOUT, began=20.0))
    state.keep(made(Outcome.REFUSED, began=21.0, confirms=True))
    state.keep(made(began=22.0, confirms=True))
    state.keep(made(Outcome.LOCAL_ERROR, began=30.0))
    (path,) = read(state).paths
    assert path.streak == 0
    assert path.last_failure == LastFailure(21.0, "refused", 2, "wait: why")
    state.keep(made(began=21.0 + REMEMBERED))
    assert read(state).paths[0].last_failure is not None
    state.keep(made(began=22.0 + REMEMBERED))
    assert read(state).paths[0].last_failure is None
    state.keep(made(Outcome.TIMEOUT, began=30.0 + REMEMBERED))
    again = read(state).paths[0].last_failure
    assert again is not None
    assert again.count == 3


def test_flows_that_fail_stay_until_a_check_finds_none() -> None:
    """The last check counts; one that nothing follows is forgotten after three rounds and a minute and a half."""
    state = sink()
    state.keep(made(probe="udp", began=900.0, flows=Flows(16, 4)))
    assert read(state).paths[0].flows == FailingFlows(900.0, 16, 4)
    state.keep(made(probe="udp", began=930.0))
    assert read(state).paths[0].flows == FailingFlows(900.0, 16, 4)
    state.keep(made(probe="udp", began=960.0, flows=Flows(16, 0)))
    assert read(state).paths[0].flows is None
    state.keep(made(probe="udp", began=990.0, flows=Flows(16, 1)))
    state.keep(made(probe="udp", began=990.0 + 3 * 30 + 90))
    assert read(state).paths[0].flows is not None
    state.keep(made(probe="udp", began=991.0 + 3 * 30 + 90))
    assert read(state).paths[0].flows is None


def test_a_kept_flow_that_fails_does_not_fail_its_path() -> None:
    """It is evidence beside the result: the path works, and the next result that says nothing of it ends it."""
    state = sink()
    state.keep(made(probe="udp", began=990.0, kept=KeptFlow(40_000, 2, 31.0)))
    path = read(state).paths[0]
    assert (path.last, path.streak, path.failures) == ("success", 0, {})
    assert path.kept == FailingKeptFlow(959.0, 40_000, 2)
    state.keep(made(probe="udp", began=999.0, kept=KeptFlow(40_000)))
    assert read(state).paths[0].kept is None


def test_the_interval_of_a_target_is_in_its_path() -> None:
    """The hub reads it, so that a target that is probed once an hour is not outdated after a minute."""
    state = sink()
    target = Target("tls", "10.0.0.2", 443, Path("external", "ca", "other"), interval=3600.0)
    state.keep(replace(made(), target=target))
    state.keep(made())
    assert [path.interval for path in read(state).paths] == [3600.0, 0.0]


def test_a_new_pace_is_served_at_once() -> None:
    """A changed plan is in the state with another ETag, also without a new result."""
    state = sink()
    before = state.document()
    state.set_pace(10.0, 2.0)
    assert (read(state).interval, read(state).timeout, state.document()[0] != before[0]) == (10.0, 2.0, True)


def test_a_trace_stays_until_the_path_works() -> None:
    """The last hop is part of the path's state after later failures, too, and gone with the first success."""
    state = sink()
    failure = made(Outcome.TIMEOUT)
    state.keep(failure)
    assert not state.lasts(failure)
    state.keep(failure)
    assert state.lasts(failure)
    before = ("10.0.0.1", "*", "10.0.0.3")
    hops = trace.Details((trace.Hop("10.0.0.1", 0.001), trace.Hop()), before=before)
    state.follow(failure, made(Outcome.TIMEOUT, "trace", 995.0, details=hops))
    expected = Traced(995.0, 1, "10.0.0.1", hops=["10.0.0.1"], before=["10.0.0.1", "*", "10.0.0.3"])
    assert [path.traced for path in read(state).paths] == [expected]
    state.keep(made(Outcome.TIMEOUT, began=1020.0))
    assert [path.traced for path in read(state).paths] == [expected]
    state.keep(made(began=1050.0))
    assert [path.traced for path in read(state).paths] == [None]
    state.follow(failure, made(Outcome.TIMEOUT, "trace", 1051.0, details=hops))
    assert [path.traced for path in read(state).paths] == [None]


def test_a_trace_of_a_path_that_left_is_dropped() -> None:
    """A trace ends some seconds after it began, and its path may be gone by then."""
    state = sink()
    state.follow(made(Outcome.TIMEOUT), made(Outcome.TIMEOUT, "trace", details=trace.Details()))
    assert read(state).paths == []


def test_half_answers_are_counted_over_forty_rounds() -> None:
    """Beside packet loss three rounds do not tell a race: the look-ups of the cluster's DNS are counted for longer."""
    state, cluster_dns = sink(), Path("dns", "kubernetes.default", "service")
    half = dns.Details("10.96.0.10", "kubernetes.default", "udp", rcode="NOERROR", unanswered="AAAA")

    def look_up(began: float, **more: Any) -> HalfAnswers | None:
        outcome = Outcome.TIMEOUT if more.get("details") is half else Outcome.SUCCESS
        state.keep(replace(made(outcome, "dns", began, **more), target=Target("dns", "10.96.0.10", 53, cluster_dns)))
        return read(state).paths[0].halves

    assert look_up(0.0, details=half) == HalfAnswers(1, 1, 0.0)
    assert look_up(2.0, details=half, confirms=True) == HalfAnswers(1, 1, 0.0)  # as everywhere: it counts no rounds
    assert look_up(30.0, details=half) == HalfAnswers(2, 2, 30.0)
    counts = [look_up(30.0 * number) for number in range(2, 42)]
    assert counts[37:] == [HalfAnswers(2, 40, 30.0), HalfAnswers(2, 40, 30.0), HalfAnswers(1, 40, 30.0, 30.0)]
    assert look_up(30.0 * 42) == HalfAnswers(0, 40)


def test_other_paths_have_no_half_answers() -> None:
    """Only look-ups of the cluster's DNS are compared with those directly to its pods."""
    state = sink()
    state.keep(made())
    assert read(state).paths[0].halves is None
