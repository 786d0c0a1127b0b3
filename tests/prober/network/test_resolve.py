"""Names: looked up afresh for each probe, and never able to delay anything but the probe that waits for them."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent import monkey
from gevent.threadpool import ThreadPool

from smoker_outcome.failure import ResolveError
from smoker_prober.network import deadline, resolve
from smoker_prober.network.deadline import Deadline
from smoker_prober.result import Outcome
from tests.conftest import eventually, free_port
from tests.prober.targets import ENOUGH, HOST, PLENTY, SHORT, echo, probe, spin, target

_block = monkey.get_original("time", "sleep")  # holds up the whole process, as a CPU quota does


class Names:
    """A resolver instead of the system's, which would leave loopback. A look-up's own thread calls it."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        self.hanging: set[str] = set()
        self.busy = 0.0  # seconds of a CPU that a look-up needs, before all
        self.slow = 0.0  # seconds that it sleeps, after that
        self.asked: list[str] = []
        self._wait, self._release = os.pipe()

    def __call__(self, host: str, port: int, family: int, kind: int) -> list[Any]:
        self.asked.append(host)
        spin(self.busy)
        _block(self.slow)
        if host in self.hanging:
            os.read(self._wait, 1)
        if host not in self.known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        address = self.known[host]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sockaddr = (address, port, 0, 0) if ":" in address else (address, port)
        return [(family, kind, 0, "", sockaddr), (socket.AF_INET, kind, 0, "", ("127.9.9.9", port))]

    def close(self, threads: list[ThreadPool]) -> None:
        """Release all hanging look-ups, and wait until they have ended."""
        os.close(self._release)
        for pool in threads:
            pool.join()
            pool.kill()
        os.close(self._wait)


@pytest.fixture
def without_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a probe's last resort by the clock lie beyond every test's patience."""
    monkeypatch.setattr(deadline, "LATEST", PLENTY)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    found = Names()
    threads: list[ThreadPool] = []
    monkeypatch.setattr(resolve, "_getaddrinfo", found)
    monkeypatch.setattr(resolve, "_threads", threads)
    yield found
    found.close(threads)


@pytest.mark.parametrize("kind", ["tcp", "udp", "http"])
def test_a_name_without_an_address_is_a_resolve_error(names: Names, kind: str) -> None:
    """An unknown name is `resolve_error` with the name in the error, and no further phase."""
    result = probe(kind, 8080, host="no-such-service")
    assert (result.outcome, result.address) == (Outcome.RESOLVE_ERROR, "")
    assert result.error == "resolve: no-such-service: name or service not known"
    assert tuple(result.phases) == ("resolve",)


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example"])
def test_an_invalid_name_is_a_resolve_error(host: str) -> None:
    """A name that the system's resolver refuses (an empty label, one over 63 bytes) is not a defect of ours."""
    result = probe("tcp", 8080, host=host)
    assert result.outcome is Outcome.RESOLVE_ERROR
    assert result.error.startswith(f"resolve: {host}: ")


def test_the_systems_resolver_is_asked() -> None:
    """`localhost` is found in /etc/hosts, which DNS does not know."""
    found = resolve.resolve(target("tcp", 8080, "localhost"), Deadline(PLENTY))
    assert found.literal in ("127.0.0.1", "::1")
    assert found.sockaddr[1] == 8080


def test_each_probe_looks_the_name_up(names: Names) -> None:
    """Three probes make three look-ups, and follow a name that has moved at once."""
    names.known["echo"] = HOST
    port = free_port()
    with echo("tcp", HOST, port), echo("tcp", "127.0.0.2", port):
        first = probe("tcp", port, host="echo")
        names.known["echo"] = "127.0.0.2"
        second = probe("tcp", port, host="echo")
    third = probe("tcp", port, host="echo")
    assert [result.address for result in (first, second, third)] == ["127.0.0.1", "127.0.0.2", "127.0.0.2"]
    assert [result.outcome.value for result in (first, second, third)] == ["success", "success", "refused"]
    assert names.asked == ["echo"] * 3


def test_a_name_that_stops_resolving_and_comes_back(names: Names, echoes: dict[str, int]) -> None:
    """A probe remembers nothing of the one before it."""
    outcomes = []
    for known in ({"echo": HOST}, {}, {"echo": HOST}):
        names.known = known
        outcomes.append(probe("udp", echoes["udp"], host="echo").outcome.value)
    assert outcomes == ["success", "resolve_error", "success"]


def test_only_the_first_address_is_used(names: Names) -> None:
    """The first address in the resolver's order (RFC 6724) is used; a second one is not tried when it fails."""
    names.known["echo"] = HOST
    with echo("tcp", "127.9.9.9") as port:  # the second address of every name; nothing listens at the first
        result = probe("tcp", port, host="echo")
    assert (result.outcome, result.address) == (Outcome.REFUSED, HOST)


@pytest.mark.usefixtures("without_latest")
@pytest.mark.parametrize("kind", ["tcp", "udp", "http"])
def test_a_resolver_that_hangs_is_a_resolve_error_at_the_deadline(
    names: Names, echoes: dict[str, int], kind: str
) -> None:
    """The deadline ends the probe that waits for a name; probes without names continue meanwhile."""
    names.hanging.add("echo")
    waiting = gevent.spawn(probe, kind, 8080, host="echo", timeout=SHORT)
    meanwhile = probe(kind, echoes[kind])
    result = waiting.get()
    assert meanwhile.outcome is Outcome.SUCCESS
    assert (result.outcome, result.error) == (Outcome.RESOLVE_ERROR, f"resolve: no answer within {SHORT:g} s")
    assert tuple(result.phases) == ("resolve",)
    assert result.duration < PLENTY / 3


@pytest.mark.usefixtures("without_latest")
def test_a_resolver_that_hangs_while_we_work(names: Names) -> None:
    """However busy this process is meanwhile, a resolver that does not answer is `resolve_error`."""
    names.hanging.add("echo")

    def work() -> None:
        while True:
            spin(0.01)
            gevent.sleep(0)

    working = gevent.spawn(work)
    result = probe("tcp", 8080, host="echo", timeout=ENOUGH)
    working.kill()
    assert (result.outcome, result.error) == (Outcome.RESOLVE_ERROR, f"resolve: no answer within {ENOUGH:g} s")
    assert result.duration < PLENTY / 3


def test_a_lookup_that_was_answered_while_we_stood_still(names: Names, echoes: dict[str, int]) -> None:
    """A look-up whose thread was done in time is no timeout of the resolver.

    Here the process was held up beyond the deadline.
    """
    names.known["echo"] = HOST
    for _ in range(3):
        gevent.spawn(_block, 2 * ENOUGH)  # runs as soon as the look-up is waited for
        assert probe("tcp", echoes["tcp"], host="echo", timeout=ENOUGH).outcome is Outcome.SUCCESS


def test_time_that_a_lookup_had_no_cpu_is_given_back(names: Names, echoes: dict[str, int]) -> None:
    """Time without a CPU is not the resolver's, and the rest of the probe gets it back."""
    names.known["echo"] = HOST
    names.busy = 2 * ENOUGH
    result = probe("tcp", echoes["tcp"], host="echo", timeout=ENOUGH)
    assert (result.outcome, result.error) == (Outcome.SUCCESS, "")
    assert result.phases["resolve"] >= 2 * ENOUGH


@pytest.mark.usefixtures("without_latest")
def test_the_time_given_back_is_bounded(names: Names) -> None:
    """Only that much is given back: the resolver's own time counts."""
    names.hanging.add("echo")
    names.busy = 3 * SHORT
    result = probe("tcp", 8080, host="echo", timeout=SHORT)
    assert (result.outcome, result.error) == (Outcome.RESOLVE_ERROR, f"resolve: no answer within {SHORT:g} s")
    assert 4 * SHORT <= result.duration < PLENTY / 3


def test_a_lookup_that_never_gets_a_cpu_ends(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe ends although its look-up never gets a CPU."""
    monkeypatch.setattr(deadline, "LATEST", SHORT)
    names.busy = 2.0
    result = probe("tcp", 8080, host="echo", timeout=SHORT)
    assert (result.outcome, result.error) == (Outcome.RESOLVE_ERROR, f"resolve: no answer within {SHORT:g} s")


def test_a_thread_that_is_free_while_we_work(names: Names, echoes: dict[str, int]) -> None:
    """With more names than threads, all answered soon and noticed late, no look-up exceeds its deadline."""
    names.known["echo"] = HOST
    names.slow = 0.02

    def work() -> None:
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            pass

    waiting = [gevent.spawn(probe, "tcp", echoes["tcp"], host="echo", timeout=1.0) for _ in range(resolve.THREADS + 4)]
    gevent.spawn(work)
    assert [greenlet.get().error for greenlet in waiting] == [""] * len(waiting)


def test_a_hanging_lookup_does_not_delay_another_name(names: Names, echoes: dict[str, int]) -> None:
    """Look-ups are independent as long as threads are free."""
    names.hanging.add("slow")
    names.known["echo"] = HOST
    waiting = [gevent.spawn(probe, "tcp", 8080, host="slow", timeout=SHORT) for _ in range(resolve.THREADS - 1)]
    gevent.sleep(0)
    assert probe("tcp", echoes["tcp"], host="echo").outcome is Outcome.SUCCESS
    assert {result.outcome for result in (greenlet.get() for greenlet in waiting)} == {Outcome.RESOLVE_ERROR}


@pytest.mark.usefixtures("without_latest")
def test_when_every_lookup_hangs_the_deadline_still_holds(names: Names, echoes: dict[str, int]) -> None:
    """If all threads are used, a look-up is `resolve_error` in time, and addresses are still probed."""
    names.hanging.add("slow")
    waiting = [gevent.spawn(probe, "tcp", 8080, host="slow", timeout=SHORT) for _ in range(resolve.THREADS + 4)]
    results = [greenlet.get() for greenlet in waiting]
    assert {result.outcome for result in results} == {Outcome.RESOLVE_ERROR}
    assert max(result.duration for result in results) < PLENTY / 3
    eventually("every thread is taken", lambda: len(names.asked) == resolve.THREADS)
    assert probe("http", echoes["http"]).outcome is Outcome.SUCCESS
    assert probe("tcp", 8080, host="slow", timeout=SHORT).outcome is Outcome.RESOLVE_ERROR
    assert len(names.asked) == resolve.THREADS


def test_a_lookup_that_ends_late_has_no_effect(names: Names, echoes: dict[str, int]) -> None:
    """An answer after its probe has ended is dropped, and its thread serves the next look-up."""
    names.hanging.add("echo")
    late = [probe("tcp", echoes["tcp"], host="echo", timeout=SHORT / 5).outcome for _ in range(3)]
    names.hanging.clear()
    names.known["echo"] = HOST
    assert late == [Outcome.RESOLVE_ERROR] * 3
    assert probe("tcp", echoes["tcp"], host="echo").outcome is Outcome.SUCCESS


@pytest.mark.parametrize(
    ("host", "literal", "sockaddr"),
    [
        ("127.0.0.1", "127.0.0.1", ("127.0.0.1", 80)),
        ("127.1.2.3", "127.1.2.3", ("127.1.2.3", 80)),
        ("::1", "::1", ("::1", 80, 0, 0)),
        ("2001:db8::5", "2001:db8::5", ("2001:db8::5", 80, 0, 0)),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", ("::ffff:127.0.0.1", 80, 0, 0)),
        ("fe80::1%1", "fe80::1%1", ("fe80::1", 80, 0, 1)),
        ("fe80::1%lo", "fe80::1%1", ("fe80::1", 80, 0, 1)),
    ],
)
def test_an_address_needs_no_lookup(names: Names, host: str, literal: str, sockaddr: tuple[object, ...]) -> None:
    """An IP address, also a link-local one with its interface, is used unchanged without a look-up."""
    found = resolve.resolve(target("tcp", 80, host), Deadline(PLENTY))
    assert (found.literal, found.sockaddr, names.asked) == (literal, sockaddr, [])


def test_an_internationalised_name_is_looked_up_by_its_a_labels(names: Names) -> None:
    """The A-labels are those of IDNA 2008; an error contains the name as the user wrote it."""
    names.known["xn--strae-oqa.test"] = HOST
    assert resolve.resolve(target("tcp", 80, "straße.test"), Deadline(PLENTY)).literal == HOST
    with pytest.raises(ResolveError, match=r"größe\.test: name or service not known"):
        resolve.resolve(target("tcp", 80, "größe.test"), Deadline(PLENTY))
    assert names.asked == ["xn--strae-oqa.test", "xn--gre-6ka8i.test"]


def test_a_missing_interface_is_an_error(names: Names, records: list[str]) -> None:
    """A link-local address on an unknown interface is neither the network's fault nor a defect with a stack trace."""
    result = probe("tcp", 8080, host="fe80::1%nope")
    assert result.outcome is Outcome.LOCAL_ERROR
    assert result.error.startswith("resolve: ")
    assert records == []


def test_the_error_of_a_lookup_is_an_unresolved(names: Names) -> None:
    """A caller without a probe gets one kind of exception, whatever the resolver's was."""
    with pytest.raises(ResolveError, match="gone: name or service not known"):
        resolve.resolve(target("tcp", 80, "gone"), Deadline(PLENTY))
