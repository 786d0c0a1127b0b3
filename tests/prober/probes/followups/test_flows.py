"""Packets from several source ports: a path with a bad member, one with random loss, and when they are sent at all."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
from gevent.lock import BoundedSemaphore

from smoker_diagnosis.flows import Flows
from smoker_diagnosis.train import Train
from smoker_prober.config.service import Ports, echoes
from smoker_prober.network.resolve import Address
from smoker_prober.probes.followups import base, flows
from smoker_prober.probes.followups.flows import HEALING, PACKETS, PASSES, PAUSE, PORTS, Followup
from smoker_prober.result import Outcome, Result
from smoker_prober.round import Round
from tests.prober.targets import ENOUGH, HOST, PLENTY, Client, Stepped, echo, hearing, peer_path, settings_of, target
from tests.relay import refusing


def to(port: int, host: str = HOST) -> Address:
    return Address(*((socket.AF_INET6, (host, port, 0, 0)) if ":" in host else (socket.AF_INET, (host, port))))


def answering(passes: Callable[[int], bool], heard: dict[int, int] | None = None) -> Callable[..., None]:
    """Answer packets whose source port passes. `heard` counts the packets by source port."""

    def answer(sock: socket.socket, data: bytes, client: Client) -> None:
        if heard is not None:
            heard[client[1]] = heard.get(client[1], 0) + 1
        if passes(client[1]):
            sock.sendto(data, client)

    return answer


class Members:
    """A group of links of which one is broken: each new source port goes over the next link."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._of: dict[int, int] = {}

    def __call__(self, port: int) -> bool:
        return self._of.setdefault(port, len(self._of) % self._count) != 0


@pytest.mark.parametrize("host", [HOST, "::1"])
def test_every_flow_is_answered(host: str) -> None:
    """On a path without loss no flow fails, and every one of sixteen source ports was tried."""
    with echo("udp", host) as port:
        assert flows.run(to(port, host), PLENTY) == Flows(PORTS, 0)


@pytest.mark.parametrize(("members", "failing"), [(2, 8), (4, 4), (16, 1)])
def test_one_broken_member(members: int, failing: int) -> None:
    """One link of a group answers nothing: the flows over it are counted, and no others."""
    with hearing(answering(Members(members))) as port:
        assert flows.run(to(port), 2 * ENOUGH) == Flows(PORTS, failing)


def test_random_loss() -> None:
    """Half of all packets are lost whatever their source port is: no flow is said to fail."""
    chance = random.Random(15)
    with hearing(answering(lambda _port: chance.random() > 0.5)) as port:
        assert [flows.run(to(port), ENOUGH) for _ in range(3)] == [Flows(PORTS, 0)] * 3


def test_bounds() -> None:
    """A flow sends three packets, and three more only where a flow has no answer; source ports differ."""
    heard: dict[int, int] = {}
    with hearing(answering(lambda _port: True, heard)) as port:
        flows.run(to(port), PLENTY)
    assert sorted(heard.values()) == [PACKETS] * PORTS
    heard.clear()
    with hearing(answering(Members(4), heard)) as port:
        flows.run(to(port), 2 * ENOUGH)
    assert sorted(heard.values()) == [PACKETS * PASSES] * PORTS


def test_a_silent_or_closed_target_gives_no_verdict_on_flows() -> None:
    """Every flow fails: the path itself does, and no flow is worse than the others."""
    with hearing(answering(lambda _port: False)) as port:
        assert flows.run(to(port), ENOUGH) == Flows(PORTS, 0)
    with refusing(socket.SOCK_DGRAM) as port:
        found = flows.run(to(port), ENOUGH)
        assert found is None or found.failing == 0


def test_no_route() -> None:
    """Without a socket that can send there is no verdict."""
    assert flows.run(to(9, "127.255.255.255"), ENOUGH) is None  # a broadcast address


def test_source_ports_to_avoid() -> None:
    """None of the sixteen ports is one from which the echo answers nothing."""
    heard: dict[int, int] = {}
    never = set(range(1024, 65536)) - set(range(33000, 60000))
    with hearing(answering(lambda _port: True, heard)) as port:
        flows.run(to(port), PLENTY, never)
    assert len(heard) == PORTS
    assert not heard.keys() & never


def result(port: int, *, lost: int = 0) -> Result:
    """The result of a UDP probe that was answered, with a train of ten packets."""
    train = Train(10, lost, 0, 0, 0, lost, 0, (), None)
    made = Result(target("udp", port, HOST), "node-1", 0.0, Outcome.SUCCESS, 0.001, address=HOST, train=train)
    return replace(made, target=replace(made.target, path=peer_path()))


def test_they_are_checked_where_packets_are_lost_and_once_a_minute() -> None:
    """No loss: nothing is sent. A train that lost packets, or a failed probe before: a check, and then a pause."""
    clock, heard = Stepped(), dict[int, int]()
    followup = Followup(base.Flows(), clock=clock.now)
    with hearing(answering(lambda _port: True, heard)) as port:
        assert followup(result(port), PLENTY, ()).flows is None
        assert heard == {}
        assert followup(result(port, lost=2), PLENTY, ()).flows == Flows(PORTS, 0)
        assert followup(result(port, lost=2), PLENTY, ()).flows is None
        clock.passes(PAUSE)
        assert followup(result(port), PLENTY, ()).flows == Flows(PORTS, 0)  # because of the loss meanwhile
        clock.passes(PAUSE)
        assert followup(result(port), PLENTY, ()).flows is None
        followup.missed()
        assert followup(result(port), PLENTY, ()).flows == Flows(PORTS, 0)


def test_a_check_that_a_failed_probe_held_up_is_caught_up_once_a_minute() -> None:
    """When the failed probe works again, its flows are checked at once, unless they were less than a minute ago."""
    clock = Stepped()
    followup = Followup(base.Flows(), clock=clock.now)
    with hearing(answering(lambda _port: True)) as port:
        assert not followup.catches_up()
        followup.missed()
        assert followup.catches_up()
        assert followup.again(result(port), PLENTY, ()).flows == Flows(PORTS, 0)
        followup.missed()
        assert not followup.catches_up()
        clock.passes(PAUSE)
        assert followup.catches_up()


def test_flows_that_fail_are_checked_again_until_they_work() -> None:
    """While some fail they are checked each minute, also where no train happens to lose packets."""
    clock, broken = Stepped(), [Members(4)]
    followup = Followup(base.Flows(), clock=clock.now)
    with hearing(answering(lambda port: not broken or broken[0](port))) as port:
        assert followup(result(port, lost=2), 2 * ENOUGH, ()).flows == Flows(PORTS, 4)
        clock.passes(PAUSE)
        broken[:] = [Members(2)]
        assert followup(result(port), 2 * ENOUGH, ()).flows == Flows(PORTS, 8)
        clock.passes(PAUSE)
        broken.clear()
        assert followup(result(port), PLENTY, ()).flows == Flows(PORTS, 0)
        clock.passes(PAUSE)
        assert followup(result(port), PLENTY, ()).flows is None


def test_flows_that_may_have_healed_are_checked_soon() -> None:
    """After flows that failed, a train without loss lets the next check come sooner: the failing flows end with it."""
    clock, broken = Stepped(), [Members(4)]
    followup = Followup(base.Flows(), clock=clock.now)
    with hearing(answering(lambda port: not broken or broken[0](port))) as port:
        assert followup(result(port, lost=2), 2 * ENOUGH, ()).flows == Flows(PORTS, 4)
        broken.clear()
        clock.passes(HEALING)
        assert followup(result(port, lost=2), PLENTY, ()).flows is None
        assert followup(result(port), PLENTY, ()).flows == Flows(PORTS, 0)
        clock.passes(HEALING)
        assert followup(result(port), PLENTY, ()).flows is None


def test_the_number_of_concurrent_checks_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond that number a path waits for its next round: the sockets of a process are bounded."""
    monkeypatch.setattr(flows, "_room", BoundedSemaphore(1))
    followup = Followup(base.Flows(), clock=Stepped().now)
    with echo("udp") as port:
        assert flows._room.acquire(blocking=False)
        assert followup(result(port, lost=2), PLENTY, ()).flows is None
        flows._room.release()
        assert followup(result(port, lost=0), PLENTY, ()).flows == Flows(PORTS, 0)


PORTS_OF = Ports(1, 2, 3, 4)


@pytest.mark.parametrize("variables", [{}, {"FLOWS": "false"}])
def test_peers_have_them_unless_the_plan_turns_them_off(variables: dict[str, str]) -> None:
    """The UDP probe of a peer has the follow-up; of a Service never, for its flows end at several pods."""
    plan = settings_of(variables).plan
    of_peer = echoes(plan, ("tcp", "udp"), "10.0.0.1", PORTS_OF, lambda _port: peer_path())
    of_service = echoes(plan, ("udp",), "echo", PORTS_OF, lambda port: target("udp", port).path)
    assert [any(isinstance(each, base.Flows) for each in target.followups) for target in of_peer] == [
        False,
        not variables,
    ]
    assert not any(isinstance(each, base.Flows) for each in of_service[0].followups)


@pytest.mark.parametrize("wanted", ["true", "false"])
def test_they_are_imported_only_where_the_plan_asks_for_them(wanted: str) -> None:
    """A plan without flows and kept flow has targets and rounds, and neither module is imported."""
    program = f"""
import os, sys
os.environ |= {{"FLOWS": "{wanted}", "KEPT_FLOW": "{wanted}", "SERVER_HOST": "127.0.0.1"}}
import smoker_prober.assembly
from smoker_prober.config.service import hosts
from smoker_prober.round import Round
from smoker_prober.settings import read
settings, _ = read(os.environ)
rounds = [Round.of(settings, targets) for targets in hosts(settings).values()]
print(*sorted(name.rpartition(".")[2] for name in sys.modules if name.startswith("smoker_prober.probes.followups.")))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PLENTY, check=True)
    assert ("kept_flow" in done.stdout.split(), "flows" in done.stdout.split()) == (wanted == "true",) * 2
    assert "train" in done.stdout.split()


def test_a_failed_probe_is_noted_by_the_round() -> None:
    """A round in which the probe fails makes the next one that succeeds check the flows."""
    answers = [False]
    with hearing(answering(lambda _port: answers[0])) as port:
        probed = replace(target("udp", port, HOST), path=peer_path(), followups=(base.Flows(),))
        one_round = Round((probed,), source="node-1", timeout=ENOUGH)
        (failed,) = one_round.results()
        assert (failed.outcome, failed.flows) == (Outcome.TIMEOUT, None)
        answers[0] = True
        (found,) = one_round.results()
        assert found.flows == Flows(PORTS, 0)
        assert found.fields["flows"] == PORTS
        assert found.fields["flows_failing"] == 0
