"""A flow that is kept beside the fresh ones: one whose entry is stale, and what looks alike."""

from __future__ import annotations

import contextlib
import gc
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from smoker_diagnosis.rules import stale_conntrack
from smoker_diagnosis.state import PathState
from smoker_prober.config.service import Ports, echoes
from smoker_prober.probes.followups import base, confirm, flows
from smoker_prober.probes.followups.kept_flow import HELD, Followup
from smoker_prober.result import KeptFlow, Outcome, Result
from smoker_prober.round import Round
from smoker_prober.target import Target
from tests import netns
from tests.conftest import eventually
from tests.prober.targets import ENOUGH, HOST, PLENTY, Client, Made, Stepped, hearing, peer_path, settings_of, target


class Service:
    """A Service whose translation of some source ports is stale. It counts packets by source port."""

    def __init__(self) -> None:
        self.stale: Callable[[int], bool] = lambda _port: False
        self.heard: dict[int, int] = {}

    def __call__(self, sock: socket.socket, data: bytes, client: Client) -> None:
        self.heard[client[1]] = self.heard.get(client[1], 0) + 1
        if not self.stale(client[1]):
            sock.sendto(data, client)


def result(port: int) -> Result:
    """The result of a UDP probe that was answered."""
    return Result(target("udp", port, HOST), "node-1", 0.0, Outcome.SUCCESS, 0.001, address=HOST)


def kept(followup: Followup, port: int, timeout: float = PLENTY) -> KeptFlow | None:
    return followup(result(port), timeout, ()).kept


def stale(service: Service, followup: Followup, port: int) -> KeptFlow:
    """Return the flow that is kept. The service answers it once, and then no more."""
    first = kept(followup, port)
    assert first is not None
    service.stale = lambda source: source == first.port
    return first


def test_the_same_source_port_each_round() -> None:
    """The flow that works is one flow, and it costs one packet a round."""
    service, followup = Service(), Followup(base.KeptFlow())
    with hearing(service) as port:
        found = [kept(followup, port) for _ in range(3)]
    assert found == [KeptFlow(next(iter(service.heard)))] * 3
    assert list(service.heard.values()) == [3]
    followup.close()


def test_a_stale_flow_is_counted_until_it_works_again() -> None:
    """Fresh flows work and the kept one does not: rounds and seconds grow, and the first answer ends it."""
    service, clock = Service(), Stepped()
    followup = Followup(base.KeptFlow(), clock=clock.now)
    with hearing(service) as port:
        first = stale(service, followup, port)
        assert kept(followup, port, ENOUGH) == KeptFlow(first.port, 1, 0.0)
        clock.passes(30.0)
        assert kept(followup, port, ENOUGH) == KeptFlow(first.port, 2, 30.0)
        service.stale = lambda _port: False
        assert kept(followup, port) == KeptFlow(first.port)
    followup.close()


def test_one_lost_packet_is_not_a_stale_flow() -> None:
    """The flow is asked three times before a round counts."""
    service, followup, dropped = Service(), Followup(base.KeptFlow()), list[int]()
    with hearing(service) as port:
        first = kept(followup, port)

        def once(source: int) -> bool:
            dropped.append(source)
            return len(dropped) <= 2

        service.stale = once
        assert kept(followup, port, 3 * ENOUGH) == first
    assert len(dropped) == 3
    followup.close()


def test_an_unresponsive_pod_is_not_a_stale_flow() -> None:
    """One of several pods is silent: some fresh flows fail as well, so the round does not count."""
    service, followup = Service(), Followup(base.KeptFlow())
    with hearing(service) as port:
        first = kept(followup, port)
        assert first is not None
        pods: dict[int, int] = {first.port: 0}
        service.stale = lambda source: pods.setdefault(source, len(pods) % 4) == 0
        assert kept(followup, port, ENOUGH) is None
    assert len(service.heard) == 1 + flows.PORTS
    followup.close()


def test_a_flow_that_never_worked_is_not_stale() -> None:
    """The first packet of a flow is lost: another flow begins in the next round."""
    service, followup = Service(), Followup(base.KeptFlow())
    with hearing(service) as port:
        service.stale = lambda _port: True
        assert kept(followup, port, ENOUGH) is None
        service.stale = lambda _port: False
        found = kept(followup, port)
    assert found is not None
    assert len(service.heard) == 2
    followup.close()


def test_a_fresh_flow_that_fails_ends_the_count() -> None:
    """While fresh flows fail, too, the kept one says nothing."""
    service, followup = Service(), Followup(base.KeptFlow())
    with hearing(service) as port:
        first = stale(service, followup, port)
        assert kept(followup, port, ENOUGH) == KeptFlow(first.port, 1, 0.0)
        followup.missed()
        assert kept(followup, port, ENOUGH) == KeptFlow(first.port, 1, 0.0)
    followup.close()


def test_a_failing_flow_is_kept_for_some_minutes() -> None:
    """Its packets keep the stale entry alive: after ten minutes another flow begins."""
    service, clock = Service(), Stepped()
    followup = Followup(base.KeptFlow(), clock=clock.now)
    with hearing(service) as port:
        first = stale(service, followup, port)
        kept(followup, port, ENOUGH)
        clock.passes(HELD + 1)
        later = kept(followup, port)
        assert later is not None
        assert (later.port != first.port, later.rounds) == (True, 0)
    followup.close()


def test_a_service_that_moves_begins_another_flow() -> None:
    """The name of the Service has another address, or the Service another port."""
    one, other, followup = Service(), Service(), Followup(base.KeptFlow())
    with hearing(one) as port, hearing(other) as moved:
        kept(followup, port)
        assert kept(followup, moved) == KeptFlow(next(iter(other.heard)))
    followup.close()


@pytest.mark.parametrize("variables", [{}, {"KEPT_FLOW": "false"}])
def test_the_service_has_one_unless_the_plan_turns_it_off(variables: dict[str, str]) -> None:
    """The UDP probe of the echo Service keeps a flow; peers, which no translation is on the path to, never do."""
    plan = settings_of(variables).plan
    of_peer = echoes(plan, ("udp",), "10.0.0.1", Ports(1, 2, 3, 4), lambda _port: peer_path())
    of_service = echoes(plan, ("tcp", "udp"), "echo", Ports(1, 2, 3, 4), lambda port: target("udp", port).path)
    assert [any(isinstance(each, base.KeptFlow) for each in target.followups) for target in of_service] == [
        False,
        not variables,
    ]
    assert not any(isinstance(each, base.KeptFlow) for each in of_peer[0].followups)


def test_a_round_that_is_replaced_closes_its_flow() -> None:
    """The socket lives as long as the round: a plan that changes leaves none behind (warnings are errors)."""
    service = Service()
    with hearing(service) as port:
        one_round = Round((followed(port),), source="node-1", timeout=PLENTY)
        (found,) = one_round.results()
        assert found.outcome.ok
        assert found.kept is not None
        assert "kept_port" not in found.fields
        del one_round
        gc.collect()


def followed(port: int) -> Target:
    """Return the target of a Service with a flow that is kept."""
    return replace(target("udp", port, HOST), followups=(base.KeptFlow(),))


def test_the_second_failure_is_late_enough() -> None:
    """The diagnosis counts two failures only if they are so far apart."""
    assert confirm.LATER >= stale_conntrack.LASTS


def test_a_round_asks_again_while_one_failure_may_be_chance() -> None:
    """After its first failure the flow is asked once more, after a fresh probe. From then on only rounds ask it."""
    service = Service()
    with hearing(service) as port:
        wanted = followed(port)
        one_round = Round((wanted,), source="node-1", timeout=4 * ENOUGH)
        (first,) = one_round.results()
        assert first.kept is not None
        own = first.kept.port
        service.stale = lambda source: source == own
        assert not one_round.doubts(wanted)
        (failed,) = one_round.results()
        assert (failed.kept and failed.kept.rounds, one_round.doubts(wanted)) == (1, True)
        (again,) = one_round.again(wanted)
        assert (again.outcome, again.kept and again.kept.rounds) == (Outcome.SUCCESS, 2)
        assert not one_round.doubts(wanted)


def test_the_prober_asks_again_before_the_next_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two failures are on record after one round: the second as a confirmation, which counts as no round."""
    monkeypatch.setattr("smoker_prober.prober.LATER", 0.1)
    service = Service()
    with hearing(service) as port:
        made = Made(settings_of({"TEST_INTERVAL": "4", "TEST_TIMEOUT": "2"}), {"echo": (followed(port),)})
        made.prober.start()

        def path() -> PathState:
            return made.path(f"{HOST}:{port}")

        eventually("the flow is kept", lambda: path().attempts == 1)
        source = list(service.heard)[-1]  # after that of the probe
        service.stale = lambda port: port == source
        eventually("it failed twice", lambda: (kept := path().kept) is not None and kept.rounds == 2)
        assert path().attempts == 2
        made.prober.close()
        made.prober.drain(0)


SERVICE = "10.96.0.10"
ECHO = """
from gevent import monkey; monkey.patch_all()
import gevent
from smoker_common.listen import udp_sockets
from smoker_echo.udp import UdpEcho
UdpEcho(udp_sockets("0.0.0.0", 8081)[0]).start()
print("ready", flush=True)
gevent.sleep(60)
"""
ROUNDS = f"""
import sys
from smoker_prober.probes import run
from smoker_prober.probes.followups import base, kept_flow
from smoker_prober.target import Target, service_path
target = Target("udp", "{SERVICE}", 8081, service_path("{SERVICE}", 8081))
followup = kept_flow.Followup(base.KeptFlow())
for _ in sys.stdin:
    found = run(target, "node-1", 4.0)
    kept = followup(found, 4.0, ()).kept
    print(found.outcome.value, kept.rounds if kept else None, kept.port if kept else None, flush=True)
followup.close()
"""


@netns.CHAINED
@pytest.mark.skipif(shutil.which("iptables") is None, reason="needs iptables: it translates a Service's address")
def test_an_entry_of_the_kernel_that_is_stale() -> None:
    """Real connection tracking: the Service moves to another pod, and the kept flow still goes to the old one."""
    with netns.chain(2) as nodes, contextlib.ExitStack() as stack:

        def program(number: int, text: str) -> subprocess.Popen[str]:
            command = ["ip", "netns", "exec", nodes.names[number], sys.executable, "-c", text]
            pipe = subprocess.PIPE
            started = stack.enter_context(subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe))
            stack.callback(started.kill)
            return started

        def translate(how: str, pod: str) -> None:
            match = ("-p", "udp", "-d", SERVICE, "--dport", "8081", "-j", "DNAT", "--to-destination", pod)
            nodes.must(0, "iptables", "-w", "-t", "nat", how, "OUTPUT", *match)

        def one_round() -> list[str]:
            assert prober.stdin is not None
            assert prober.stdout is not None
            prober.stdin.write("\n")
            prober.stdin.flush()
            return prober.stdout.readline().split()

        old, new = "10.213.1.3", "10.213.1.4"
        nodes.must(0, "ip", "route", "add", f"{SERVICE}/32", "via", nodes.address(1))
        for pod in (old, new):
            nodes.must(1, "ip", "address", "add", f"{pod}/24", "dev", "to0")
        echo = program(1, ECHO)
        assert echo.stdout is not None
        assert echo.stdout.readline() == "ready\n"
        translate("-A", old)
        prober = program(0, ROUNDS)
        outcome, rounds, port = one_round()
        assert (outcome, rounds) == ("success", "0")
        translate("-D", old)
        translate("-A", new)
        assert one_round() == ["success", "0", port]  # the old pod still answers the flow that it has
        nodes.must(1, "ip", "address", "del", f"{old}/24", "dev", "to0")
        assert [one_round() for _ in range(2)] == [["success", "1", port], ["success", "2", port]]
        nodes.must(1, "ip", "address", "add", f"{old}/24", "dev", "to0")
        assert one_round() == ["success", "0", port]
