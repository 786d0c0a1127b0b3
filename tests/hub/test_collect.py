"""Reading the probers' states: the results, and the effect of a bad prober."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from smoker_hub.collect import RESTARTING, Address, Collector
from tests.diagnosis.mesh import INTERVAL, TIMEOUT, Cluster, nodes
from tests.hub.stand_ins import HOST, FixedAddresses, ManualClock, Prober, probers

KEY = ("node-1", "pod")


def collector(found: list[Prober], clock: ManualClock, timeout: float = 5.0) -> Collector:
    return Collector(FixedAddresses(*(each.address for each in found)), timeout=timeout, clock=clock.now)


def test_an_unchanged_state_is_not_sent_again() -> None:
    """The second look gets a 304: the state stays and its age grows."""
    clock = ManualClock()
    with probers(Cluster(nodes(3), host=False).states()) as found:
        one = collector(found, clock)
        first = one.look()
        clock.instant += 5.0
        second = one.look()
        assert all(b"If-None-Match: " in prober.requests[1] for prober in found)
        assert all(b"If-None-Match: " not in prober.requests[0] for prober in found)
        assert second.states == first.states == [prober.state for prober in found]
        assert dict(second.waited) == {(node, "pod"): 5.0 for node in nodes(3)}
        changed = msgspec.structs.replace(found[0].state, starved=True)
        found[0].state = changed
        assert changed in one.look().states


def test_a_look_gets_the_news_of_each_state() -> None:
    """A state comes with the paths that changed since the one before; a first state comes without news."""
    with probers(Cluster(nodes(3), host=False).states()) as found:
        one = collector(found, ManualClock())
        first = one.look()
        assert first.news == {}
        state = found[0].state
        paths = [*state.paths[:-1], msgspec.structs.replace(state.paths[-1], last="timeout", streak=1)]
        found[0].state = msgspec.structs.replace(state, at=state.at + 5.0, paths=paths)
        second = one.look()
        assert set(second.news) == {KEY}
        assert second.news[KEY].leads(first.states[0], second.states[0])
        assert second.news[KEY].changed == (len(paths) - 1,)


BAD = {
    "another program": b"SSH-2.0-x\r\n",
    "an error": b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
    "no state": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "a 304 without need": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "half of it": b'HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n{"version": 1',
    "another version": b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"version":99}',
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD.keys())
def test_a_bad_answer_costs_the_others_nothing(raw: bytes) -> None:
    """A prober with a bad answer is silent with its reason, and all other states are there."""
    with probers(Cluster(nodes(4), host=False).states()) as found:
        found[0].raw = raw
        looked = collector(found, ManualClock()).look()
        assert set(looked.errors) == {KEY}
        assert looked.errors[KEY]
        assert [state.node for state in looked.states] == ["node-2", "node-3", "node-4"]
        assert not looked.blind


def test_a_slow_prober_ends_with_the_deadline() -> None:
    """A prober that accepts the connection and sends nothing is silent after the time-out."""
    with probers(Cluster(nodes(3), host=False).states()) as found:
        found[0].silent = True
        looked = collector(found, ManualClock(), timeout=0.3).look()
        assert "does not answer within 0.3 s" in looked.errors[KEY]
        assert len(looked.states) == 2


def test_a_slow_prober_delays_no_look() -> None:
    """The look ends while its request continues, and its answer counts later."""
    with probers(Cluster(nodes(3), host=False).states()) as found:
        one = collector(found, ManualClock(), timeout=30.0)
        found[0].silent = True
        looked = one.look()
        assert (len(looked.states), looked.errors) == (2, {})
        again = one.look()
        assert len(again.states) == 2
        assert len(found[0].requests) == 1, "nobody is asked twice at a time"
        one.close()


def test_the_state_of_another_prober_is_refused() -> None:
    """If a pod of another node has got the address meanwhile, its state does not count for this node."""
    with probers(Cluster(nodes(2), host=False).states()) as found:
        port = found[1].address.port
        looked = Collector(FixedAddresses(Address("node-1", "pod", HOST, port)), timeout=5.0).look()
        assert "another prober, on node-2 (pod)" in looked.errors[KEY]
        assert looked.states == []


def test_silence_counts_after_an_interval_and_a_timeout() -> None:
    """Until then the last state counts; afterwards the prober is silent and its state is dropped."""
    clock = ManualClock()
    with probers(Cluster(nodes(3), host=False).states()) as found:
        one = collector(found, clock)
        one.look()
        found[0].raw = BAD["an error"]
        clock.instant += 5.0
        assert one.look().silent == {KEY: 0.0}, "the silence begins with the first question that has no answer"
        clock.instant += INTERVAL + TIMEOUT - 5.0
        looked = one.look()
        assert (len(looked.states), looked.lost) == (3, frozenset())
        clock.instant += 1.0
        assert len(one.look().states) == 2, "the last state is old"
        clock.instant += 4.0
        looked = one.look()
        assert (looked.silent, looked.lost) == ({KEY: INTERVAL + TIMEOUT}, frozenset())
        clock.instant += 1.0
        assert one.look().lost == frozenset({KEY})
        found[0].raw = b""
        assert one.look().errors == {}


@pytest.mark.parametrize(("ready", "starts"), [(False, True), (True, False)])
def test_a_new_pod_that_is_not_ready_starts(ready: bool, starts: bool) -> None:
    """While a rollout's pod does not answer yet, neither its silence nor the old pod's state counts, for a minute."""
    clock = ManualClock()
    with probers(Cluster(nodes(3), host=False).states()) as found:
        places = FixedAddresses(*(each.address for each in found))
        one = Collector(places, timeout=5.0, clock=clock.now)
        one.look()
        places.addresses[0] = replace(places.addresses[0], host="127.0.0.2", ready=ready)  # nobody listens there
        clock.instant += INTERVAL + TIMEOUT + 1.0
        one.look()
        clock.instant += INTERVAL + TIMEOUT + 1.0
        looked = one.look()
        assert looked.restarting == ({KEY} if starts else set())
        assert looked.lost == (set() if starts else {KEY})
        assert [state.node for state in looked.states] == ["node-2", "node-3"]
        clock.instant += RESTARTING + 1.0
        looked = one.look()
        assert (looked.restarting, looked.lost) == (frozenset(), frozenset({KEY}))


def test_the_next_pod_at_the_same_address_starts() -> None:
    """On the node's network the next pod of a rollout has the old one's address. While it starts it is not silent."""
    clock = ManualClock()
    with probers(Cluster(nodes(3), host=False).states()) as found:
        places = FixedAddresses(*(replace(each.address, pod="old") for each in found))
        one = Collector(places, timeout=5.0, clock=clock.now)
        one.look()
        found[0].raw = BAD["another program"]
        places.addresses[0] = replace(places.addresses[0], pod="new", ready=False)
        clock.instant += INTERVAL + TIMEOUT + 1.0
        looked = one.look()
        assert (set(looked.restarting), set(looked.lost)) == ({KEY}, set())
        clock.instant += INTERVAL + TIMEOUT + 1.0
        places.addresses[0] = replace(places.addresses[0], ready=True)
        looked = one.look()
        assert (looked.silent, set(looked.restarting), set(looked.lost)) == ({KEY: 0.0}, set(), set())
        assert [state.node for state in looked.states] == ["node-2", "node-3"], "the old pod's state counts no more"
        clock.instant += INTERVAL + TIMEOUT + 1.0
        assert set(one.look().lost) == {KEY}, "once it is ready it has as much time as any other"


def test_a_pod_that_ends_is_not_silent() -> None:
    """A terminating pod that stops answering says nothing about the network, for a minute since its last answer."""
    clock = ManualClock()
    with probers(Cluster(nodes(3), host=False).states()) as found:
        places = FixedAddresses(*(each.address for each in found))
        one = Collector(places, timeout=5.0, clock=clock.now)
        one.look()
        found[0].raw = BAD["another program"]
        places.addresses[0] = replace(places.addresses[0], ready=False, ends=True)
        clock.instant += INTERVAL + TIMEOUT + 1.0
        looked = one.look()
        assert (set(looked.restarting), set(looked.lost)) == ({KEY}, set())
        assert [state.node for state in looked.states] == ["node-2", "node-3"]
        clock.instant += RESTARTING
        looked = one.look()
        assert (set(looked.restarting), set(looked.lost)) == (set(), {KEY})


def test_a_prober_that_left_is_forgotten() -> None:
    """An address that is no longer listed is neither asked nor missed."""
    with probers(Cluster(nodes(3), host=False).states()) as found:
        places = FixedAddresses(*(each.address for each in found))
        one = Collector(places, timeout=5.0)
        one.look()
        del places.addresses[0]
        looked = one.look()
        assert (looked.asked, len(looked.states), looked.silent) == (2, 2, {})


def test_probers_that_never_started_do_not_make_the_hub_blind() -> None:
    """Pods that are not ready and have never answered are silent, and do not make the hub blind; ready ones do."""
    with probers(Cluster(nodes(3)).states()) as found:
        hosts = [prober for prober in found if prober.state.network == "host"]
        for prober in [*hosts, found[0]]:
            prober.raw = BAD["an error"]
        for ready in (False, True):
            addresses = [replace(each.address, ready=ready or each not in hosts) for each in found]
            looked = Collector(FixedAddresses(*addresses), timeout=5.0).look()
            assert (len(looked.silent), looked.missed, looked.blind) == (4, 4 if ready else 1, ready)
