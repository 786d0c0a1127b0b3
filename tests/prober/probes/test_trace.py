"""The trace probe: the hops of a path, over both families and without a privilege."""

from __future__ import annotations

import errno
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoker_prober.kernel.error_queue import IcmpError
from smoker_prober.network.resolve import address
from smoker_prober.probes.hops import MARK, Search, numbered
from smoker_prober.probes.trace import MOST, PORT, Details, Hop
from smoker_prober.result import Outcome
from tests.netns import CHAINED, Chain, chain
from tests.prober.targets import ENOUGH, HOST, PLENTY, echo, probe

HOSTS = [HOST, "::1"]
LENGTH = 4  # near, two routers, far
TRACEROUTE = "/usr/sbin/traceroute"


# On one machine


@pytest.mark.parametrize("host", HOSTS)
def test_an_echo_is_the_first_hop(host: str) -> None:
    """A datagram that comes back says that the target is reached, as its round-trip time does."""
    with echo("udp", host) as port:
        result = probe("trace", port, host=host, timeout=PLENTY)
    assert (result.outcome, result.details and result.details.of_success) == (Outcome.SUCCESS, {"hops": 1})
    assert isinstance(result.details, Details)
    assert (result.details.reached, result.details.hops[0].address) == (True, host)
    assert result.rtt is not None
    assert 0 < result.rtt.seconds < PLENTY


@pytest.mark.parametrize("host", HOSTS)
def test_a_closed_port_reaches_the_target(host: str) -> None:
    """ICMP "port unreachable" from the target itself is an answer."""
    result = probe("trace", PORT, host=host, timeout=PLENTY)
    assert (result.outcome, result.details and result.details.of_success) == (Outcome.SUCCESS, {"hops": 1})


def test_no_route_is_no_trace() -> None:
    """What cannot leave this host has the outcome of its error, and no hops."""
    result = probe("trace", PORT, host="127.255.255.255", timeout=ENOUGH)
    assert result.outcome in (Outcome.UNREACHABLE, Outcome.TIMEOUT)
    assert result.fields.get("hops") is None


# Over routers


@pytest.fixture(scope="module")
def chained() -> Iterator[Chain]:
    with chain(LENGTH) as made:
        yield made


def traced(made: Chain, target: str, *arguments: str) -> dict[str, Any]:
    """Trace `target` from the near end, without any capability."""
    bare = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    prober = [sys.executable, "-m", "smoker_prober", "probe", "trace", target, *arguments]
    done = made.run(0, *bare, "env", "LOG_FORMAT=json", *prober)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[0])
    return found


def addresses(found: dict[str, Any]) -> list[str]:
    """Return the addresses of the hops of a JSON line."""
    return [hop.partition(" ")[0] for hop in found["hops"].split(", ")]


@CHAINED
@pytest.mark.parametrize("six", [False, True])
def test_every_router_has_a_hop(chained: Chain, *, six: bool) -> None:
    """Over both families each router answers in its place, and the closed port of the far end comes last."""
    far = chained.address(LENGTH - 1, six)
    found = traced(chained, far)
    assert addresses(found) == [chained.address(number, six) for number in range(1, LENGTH)]
    assert (found["outcome"], found["hop"], found["last_hop"]) == ("success", LENGTH - 1, far)
    assert all(re.fullmatch(r"\S+ [\d.]+ms", hop) for hop in found["hops"].split(", "))


@CHAINED
@pytest.mark.skipif(not Path(TRACEROUTE).exists(), reason="needs Debian's traceroute")
@pytest.mark.parametrize("six", [False, True])
def test_traceroute_finds_the_same_hops(chained: Chain, *, six: bool) -> None:
    """Debian's traceroute lists the same addresses in the same order."""
    far = chained.address(LENGTH - 1, six)
    theirs = chained.run(0, TRACEROUTE, "-6" if six else "-4", "-n", "-q", "1", far).stdout
    assert addresses(traced(chained, far)) == re.findall(r"^ *\d+ +(\S+)", theirs, re.MULTILINE)


@CHAINED
@pytest.mark.parametrize("six", [False, True])
def test_a_path_that_ends_names_its_last_hop(chained: Chain, *, six: bool) -> None:
    """Where the second router drops what it should forward, it is the last hop that answers; the probe times out."""
    tables = "ip6tables" if six else "iptables"
    if shutil.which(tables) is None:
        pytest.skip(f"needs {tables}")
    chained.must(2, tables, "-A", "FORWARD", "-j", "DROP")
    try:
        found = traced(chained, chained.address(LENGTH - 1, six), "--timeout", "2")
    finally:
        chained.must(2, tables, "-F", "FORWARD")
    assert addresses(found) == [chained.address(1, six), chained.address(2, six)]
    assert (found["outcome"], found["hop"], found["last_hop"]) == ("timeout", 2, chained.address(2, six))
    assert found["error"] == f"wait: no answer beyond hop 2, {chained.address(2, six)}"


@CHAINED
@pytest.mark.parametrize("six", [False, True])
def test_a_silent_router_does_not_end_the_trace(chained: Chain, *, six: bool) -> None:
    """A router that sends no ICMP errors has a hop without an address, and the hops after it are found."""
    tables, icmp = ("ip6tables", ("icmpv6", "--icmpv6-type")) if six else ("iptables", ("icmp", "--icmp-type"))
    if shutil.which(tables) is None:
        pytest.skip(f"needs {tables}")
    chained.must(1, tables, "-A", "OUTPUT", "-p", *icmp, "time-exceeded", "-j", "DROP")
    try:
        found = traced(chained, chained.address(LENGTH - 1, six), "--timeout", "2")
    finally:
        chained.must(1, tables, "-F", "OUTPUT")
    assert addresses(found) == ["*", chained.address(2, six), chained.address(3, six)]


@CHAINED
@pytest.mark.parametrize("six", [False, True])
def test_a_route_that_is_missing_ends_the_trace(chained: Chain, *, six: bool) -> None:
    """A router that says "unreachable" is the last hop, and the error names it."""
    subnet = "fd00:213:3::/64" if six else "10.213.3.0/24"
    family = "-6" if six else "-4"
    via = chained.address(2, six)
    chained.must(1, "ip", family, "route", "replace", "unreachable", subnet, *(("metric", "1") if six else ()))
    try:
        found = traced(chained, chained.address(LENGTH - 1, six), "--timeout", "2")
    finally:
        if six:
            chained.must(1, "ip", family, "route", "delete", "unreachable", subnet, "metric", "1")
        else:
            chained.must(1, "ip", family, "route", "replace", subnet, "via", via)
    assert (found["outcome"], found["last_hop"]) == ("unreachable", chained.address(1, six))
    # The number of that hop is not compared: the kernel limits the errors of a router and may leave out the first ones.
    assert chained.address(1, six) in found["error"]


# The search, with injected messages of the error queue

PEER, ROUTER = "10.0.0.9", "10.0.0.1"


def search(sent: int, peer: str = PEER) -> Search:
    """Return a search that has sent the packets 0 to `sent`."""
    made = Search(address(peer, PORT), 1.0)
    made.depart(*range(sent + 1))
    return made


def icmp(kind: int, code: int, number: int | None = None, sender: str = ROUTER, six: bool = False) -> IcmpError:
    """Return an ICMP error about packet `number`; None: its sender quotes no payload."""
    quoted = b"" if number is None else MARK + bytes([number])
    return IcmpError(errno.EHOSTUNREACH, kind, code, sender, quoted, None, six)


def found(made: Search) -> list[str]:
    return [hop.address for hop in made.hops]


def test_a_quotation_says_which_packet_it_is_about() -> None:
    """An error that comes late belongs to its own packet, not to the one that was sent last."""
    made = search(3)
    made.heard(icmp(11, 0, 2, "10.0.0.2"), 3)
    made.heard(icmp(11, 0, 1), 3)
    assert (found(made), made.reached) == ([ROUTER, "10.0.0.2"], False)


def test_a_router_with_a_translated_address_stays_unnamed() -> None:
    """The error of a router bears the address of the Service: it is one hop, and not the target."""
    made = search(2)
    made.heard(icmp(11, 0, 1, PEER), 2)
    assert (found(made), made.reached, Details(made.hops).last) == ([""], False, 0)


def test_without_a_quotation_the_last_packet_counts() -> None:
    """A router that quotes 8 bytes answers the packet in flight."""
    made = search(2)
    made.heard(icmp(11, 0), 2)
    assert found(made) == ["", ROUTER]


@pytest.mark.parametrize(("kind", "code", "six", "peer"), [(3, 3, False, PEER), (1, 4, True, "fd00::9")])
def test_port_unreachable_of_the_target_is_the_end(kind: int, code: int, six: bool, peer: str) -> None:
    """The nearest packet that the target answers is the last hop, and later answers change nothing."""
    made = search(4, peer)
    made.heard(icmp(kind, code, 4, peer, six), 4)
    made.heard(icmp(kind, code, 3, peer, six), 4)
    assert (found(made), made.reached) == (["", "", peer], True)


def test_port_unreachable_of_another_is_a_block() -> None:
    """A firewall that rejects is the last hop; the target is not reached."""
    made = search(2)
    made.heard(icmp(3, 3, 2), 2)
    assert (found(made), made.reached) == (["", ROUTER], False)


@pytest.mark.parametrize("number", [5, 200])
def test_an_icmp_error_about_another_packet_is_ignored(number: int) -> None:
    """A number that did not leave is not believed, and neither is another payload."""
    made = search(2)
    made.heard(icmp(11, 0, number), 2)
    made.heard(IcmpError(errno.EHOSTUNREACH, 11, 0, ROUTER, b"something else"), 2)
    assert (found(made), made.reached) == ([], False)


@given(st.binary(max_size=80), st.integers(1, MOST))
def test_any_payload_has_a_number_or_none(payload: bytes, current: int) -> None:
    """The number is a byte of the payload, the current one, or -1; nothing else, and no exception."""
    assert -1 <= numbered(payload, current) <= 255


@given(
    st.lists(
        st.builds(
            IcmpError,
            st.integers(0, 2**32 - 1),
            st.integers(0, 255),
            st.integers(0, 255),
            st.sampled_from(["", PEER, ROUTER, "fd00::1"]),
            st.one_of(st.binary(max_size=64), st.builds(lambda number: MARK + bytes([number]), st.integers(0, 255))),
            st.none() | st.integers(0, 2**70),
            st.booleans(),
        ),
        max_size=50,
    )
)
def test_any_errors_give_hops_within_bounds(errors: list[IcmpError]) -> None:
    """Whatever comes from the queue: no exception, no more hops than packets left, no negative time."""
    made = search(7)
    for error in errors:
        made.heard(error, 7)
    assert len(made.hops) <= 7
    assert all(hop.rtt is None or hop.rtt >= 0 for hop in made.hops)
    assert made.rtt is None or made.reached


def test_details_in_fields() -> None:
    """The last hop that answers, even if silent ones follow, and each hop as text."""
    details = Details((Hop(ROUTER, 0.0003), Hop(), Hop("10.0.0.3")))
    assert details.fields == {"hop": 3, "last_hop": "10.0.0.3", "hops": "10.0.0.1 0.3ms, *, 10.0.0.3"}
    assert (details.of_failure, Details().of_failure) == ({"hop": 3, "last_hop": "10.0.0.3"}, {})
    assert details.shown == [" 1  10.0.0.1 0.3ms", " 2  *", " 3  10.0.0.3"]


def test_a_router_that_answers_twice_in_a_row_counts_once() -> None:
    """A router without a route answers for its own hop and for the next; in a loop each answer is a hop."""
    assert Details((Hop("10.0.0.1", 0.1), Hop("10.0.0.2", 0.1), Hop("10.0.0.2", None))).last == 2
    assert Details((Hop("10.0.0.1", 0.1), Hop("10.0.0.2", 0.1), Hop("10.0.0.1", 0.1))).last == 3
    assert Details((Hop("", None), Hop("", None))).last == 0
