"""Paths that work are traced, rarely, so that the trace after a failure has something to be compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import gevent
import pytest
from gevent.event import Event

from smoker_prober.probes.followups import good_trace, trace
from smoker_prober.probes.followups.good_trace import AGAIN, PAUSE, GoodTraces
from smoker_prober.probes.trace import Details, Hop
from smoker_prober.result import Outcome, Result
from smoker_prober.target import Path, Target
from tests.prober.targets import HOST, Stepped

OPTIONS = trace.Options(33434)
HOPS = ("10.0.0.1", "*", "10.0.0.3")


def worked(
    name: str = "node-2", address: str = HOST, on_failure: tuple[object, ...] = (OPTIONS,), family: str = "ipv4"
) -> Result:
    target = Target("udp", HOST, 9, Path("peer", name, "pod", family), on_failure=on_failure)
    return Result(target, "node-1", 0.0, Outcome.SUCCESS, 0.001, address=address)


def after_failure(of: Result) -> Result:
    """The trace after a failure of the path of `of`."""
    target = Target("trace", of.address, 33434, of.target.path)
    details = Details((Hop("10.0.0.1"),))
    return Result(target, "node-1", 0.0, Outcome.TIMEOUT, 1.0, address=of.address, error="none", details=details)


class Traces:
    """In place of the network: counts the traces, each of which may wait for `go`."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.hops: tuple[str, ...] = HOPS
        self.reached = True
        self.go = Event()
        self.go.set()

    def __call__(self, _options: trace.Options, result: Result, *, never: object) -> Result:
        self.paths.append(result.target.path.target)
        self.go.wait()
        hops = tuple(Hop("" if each == "*" else each) for each in self.hops)
        details = Details(hops, reached=self.reached)
        return replace(after_failure(result), details=details, outcome=Outcome.SUCCESS, error="")


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> Traces:
    made = Traces()
    monkeypatch.setattr(trace, "of", made)
    return made


@pytest.fixture
def clock() -> Stepped:
    return Stepped()


@pytest.fixture
def see(clock: Stepped) -> Callable[[Result], GoodTraces]:
    """Return a function that shows a success to one `GoodTraces`, lets it trace, and returns it."""
    good = GoodTraces(clock=clock.now)

    def shown(result: Result) -> GoodTraces:
        good.worked(result, ())
        gevent.sleep(0)
        return good

    return shown


def before(good: GoodTraces, of: Result) -> tuple[str, ...]:
    details = good.beside(after_failure(of)).details
    assert isinstance(details, Details)
    return details.before


def test_the_trace_after_a_failure_has_the_hops_from_before(
    see: Callable[[Result], GoodTraces], traces: Traces
) -> None:
    """They are those of the same path to the same address; a peer that has another address since then has none."""
    good = see(worked())
    assert before(good, worked()) == HOPS
    assert before(good, worked("node-3")) == ()
    assert before(good, worked(address="127.0.0.2")) == ()
    assert good.beside(after_failure(worked())).fields["hops_before"] == "10.0.0.1, *, 10.0.0.3"


def test_each_family_has_a_trace_of_its_own(
    see: Callable[[Result], GoodTraces], traces: Traces, clock: Stepped
) -> None:
    """The two paths to one peer, over IPv4 and IPv6, are compared with their own hops."""
    see(worked())
    clock.passes(PAUSE)
    traces.hops = ("fd00::1", "fd00::3")
    six = worked(address="::1", family="ipv6")
    good = see(six)
    assert (before(good, worked()), before(good, six)) == (HOPS, traces.hops)


def test_a_trace_that_ends_early_replaces_none_that_reached_the_target(
    see: Callable[[Result], GoodTraces], traces: Traces, clock: Stepped
) -> None:
    """TCP works while the path loses UDP, of which a trace is made: the hops from before the loss stay known."""
    see(worked())
    traces.hops, traces.reached = HOPS[:1], False
    clock.passes(AGAIN)
    good = see(worked())
    assert (len(traces.paths), before(good, worked())) == (2, HOPS)
    clock.passes(PAUSE)
    see(worked())
    assert len(traces.paths) == 2  # the next is due in an hour
    clock.passes(AGAIN)
    moved = worked(address="127.0.0.2")
    assert before(see(moved), moved) == HOPS[:1]


def test_a_path_is_traced_once_an_hour(see: Callable[[Result], GoodTraces], traces: Traces, clock: Stepped) -> None:
    """Not at each success, but after an hour, or when the target's address has changed."""
    see(worked())
    clock.passes(AGAIN - 1.0)
    see(worked())
    assert traces.paths == ["node-2"]
    clock.passes(1.0)
    see(worked())
    assert traces.paths == ["node-2"] * 2
    clock.passes(PAUSE)
    see(worked(address="127.0.0.2"))
    assert traces.paths == ["node-2"] * 3


def test_traces_begin_one_after_the_other(see: Callable[[Result], GoodTraces], traces: Traces, clock: Stepped) -> None:
    """Only one begins within the pause, and none while another one runs, however many paths work."""
    traces.go.clear()
    see(worked("a"))
    see(worked("b"))
    clock.passes(PAUSE)
    see(worked("b"))
    assert traces.paths == ["a"]
    traces.go.set()
    gevent.sleep(0)
    see(worked("b"))
    see(worked("c"))
    assert traces.paths == ["a", "b"]


def test_a_path_that_fails_meanwhile_has_no_good_trace(see: Callable[[Result], GoodTraces], traces: Traces) -> None:
    """A trace during which a probe of the path failed is dropped."""
    traces.go.clear()
    good = see(worked())
    good.failed(worked().target.path)
    traces.go.set()
    gevent.sleep(0)
    assert before(good, worked()) == ()


def test_what_is_not_traced_after_failures_is_never_traced(see: Callable[[Result], GoodTraces], traces: Traces) -> None:
    """Services, and all paths with `trace: false`, declare no trace."""
    see(worked(on_failure=()))
    assert traces.paths == []


def test_paths_that_left_are_forgotten(see: Callable[[Result], GoodTraces], traces: Traces, clock: Stepped) -> None:
    """A path that is probed no longer leaves nothing, and there is an upper limit."""
    good = see(worked())
    good.forget(worked().target.path)
    assert before(good, worked()) == ()
    for number in range(good_trace.MOST + 1):
        clock.passes(PAUSE)
        see(worked(f"node-{number}"))
    assert len(traces.paths) == good_trace.MOST + 1
