"""Large packets after a UDP probe: a path that loses them silently, and one that reports it by ICMP."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Callable

import pytest

from smoker_diagnosis.path_mtu import PathMtu, sizes
from smoker_prober.config.service import hosts
from smoker_prober.kernel import path_mtu as kernel
from smoker_prober.network.resolve import Address
from smoker_prober.probes.followups import path_mtu
from smoker_prober.probes.followups.path_mtu import LARGEST
from smoker_prober.result import Outcome, Result
from smoker_prober.round import Round
from tests.prober.targets import ENOUGH, HOST, PLENTY, Client, echo, hearing, settings_of, variables_for
from tests.relay import refusing

IPV4, IPV6 = 28, 48  # bytes of headers


def to(port: int, host: str = HOST) -> Address:
    return Address(*((socket.AF_INET6, (host, port, 0, 0)) if ":" in host else (socket.AF_INET, (host, port))))


def answering_if(passes: Callable[[int], bool], most: int = 65_535) -> contextlib.AbstractContextManager[int]:
    """Run an echo that hears only IPv4 packets of passing sizes, and returns at most `most` bytes. Yield its port."""

    def answer(sock: socket.socket, data: bytes, client: Client) -> None:
        if passes(len(data) + IPV4):
            sock.sendto(data[:most], client)

    return hearing(answer)


@pytest.fixture
def ethernet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the loopback interface claim an MTU of 1,500 bytes."""
    monkeypatch.setattr(kernel, "known", lambda _sock: 1500)


@pytest.mark.parametrize("host", [HOST, "::1"])
def test_the_whole_size_is_answered(host: str) -> None:
    """One packet is sent, at most as large as jumbo frames, although loopback takes more."""
    with echo("udp", host) as port:
        assert path_mtu.run(to(port, host), PLENTY) == PathMtu(LARGEST, LARGEST)


@pytest.mark.parametrize(("hole", "passes"), [(1472, 1464), (1450, 1440), (1281, 1280), (600, 576), (576, 128)])
@pytest.mark.usefixtures("ethernet")
def test_a_black_hole(hole: int, passes: int) -> None:
    """Packets from some size on are lost, and the largest tried size that passes is reported."""
    with answering_if(lambda size: size < hole) as port:
        assert path_mtu.run(to(port), ENOUGH) == PathMtu(1500, passes)


@pytest.mark.usefixtures("ethernet")
def test_loss_is_not_a_black_hole() -> None:
    """The largest is lost three times, then a third of all sizes by chance: no size is reported."""
    chance, heard = random.Random(7), [0]

    def passes(size: int) -> bool:
        heard[0] += 1
        return size < 1500 and chance.random() > 0.33

    with answering_if(passes) as port:
        assert [path_mtu.run(to(port), ENOUGH) for _ in range(3)] == [None] * 3
    assert heard[0] > 3 * len(sizes(1500)), "not all sizes were tried"


@pytest.mark.parametrize("most", [1024, 1472])
@pytest.mark.usefixtures("ethernet")
def test_an_echo_that_cuts_its_answers(most: int) -> None:
    """If an echo returns fewer bytes, the large packet has arrived and the path is good."""
    with answering_if(lambda _size: True, most=most) as port:
        found = path_mtu.run(to(port), ENOUGH)
    assert found == (PathMtu(1500, 1500) if most == 1500 - IPV4 else None)


def test_a_path_of_unknown_mtu_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the kernel does not know the size, nothing is sent."""
    monkeypatch.setattr(kernel, "known", lambda _sock: None)
    heard: list[int] = []
    with answering_if(lambda size: bool(heard.append(size)) or True) as port:  # type: ignore[func-returns-value]
        assert path_mtu.run(to(port), ENOUGH) is None
    assert heard == []


@pytest.mark.usefixtures("ethernet")
def test_a_target_that_stops_answering_gives_no_verdict() -> None:
    """If the echo has gone since it answered the small packet, the sizes give no verdict."""
    with answering_if(lambda _size: False) as port:
        assert path_mtu.run(to(port), ENOUGH) is None
    with refusing(socket.SOCK_DGRAM) as port:
        assert path_mtu.run(to(port), ENOUGH) is None


def test_an_icmp_error_with_an_mtu_is_not_a_black_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel learns of a smaller MTU after the first packet: that size is tried, and it is no fault."""
    heard: list[int] = []

    def passes(size: int) -> bool:
        heard.append(size)
        return size <= 1300

    monkeypatch.setattr(kernel, "known", lambda _sock: 1300 if heard else 1500)
    with answering_if(passes) as port:
        assert path_mtu.run(to(port), ENOUGH) == PathMtu(1300, 1300)
    assert heard == [1500, 1300]


def test_an_unreachable_target_is_not_checked() -> None:
    assert path_mtu.run(to(9, "127.255.255.255"), ENOUGH) is None  # a broadcast address


@pytest.mark.parametrize("host", [HOST, "::1"])
def test_what_the_kernel_knows(host: str) -> None:
    """A connected socket has its interface's MTU, an unconnected one none, and nothing is fragmented."""
    with echo("udp", host) as port:
        address = to(port, host)
        with socket.socket(address.family, socket.SOCK_DGRAM) as sock:
            assert kernel.enable(sock)
            assert kernel.known(sock) is None
            sock.connect(address.sockaddr)
            assert (kernel.known(sock) or 0) >= 65_535
            with pytest.raises(OSError, match="Message too long"):
                sock.send(bytes(65_536))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        assert not kernel.enable(sock)


def round_of(port: int, every: float) -> Round:
    """Return the round of a UDP echo in which one round of `every` has a large packet."""
    variables = {"PROBES": "udp", "UDP_PACKETS": "0", "TEST_INTERVAL": "2", "MTU_INTERVAL": str(2 * every)}
    settings = settings_of(variables_for({"udp": port}, ENOUGH) | variables)
    (targets,) = hosts(settings).values()
    return Round.of(settings, targets)


def udp_result(udp: Round) -> Result:
    """Return the result of one round."""
    (result,) = udp.results()
    return result


@pytest.mark.usefixtures("ethernet")
def test_a_round_fails_while_large_packets_are_lost() -> None:
    """PING is answered, and the result is a failure with the size that passes.

    So is the next, although no check is due.
    """
    with answering_if(lambda size: size < 1400) as port:
        udp = round_of(port, 1000)
        for _ in range(2):
            result = udp_result(udp)
            assert (result.outcome, result.path_mtu) == (Outcome.MTU, PathMtu(1500, 1350))
            assert result.error == ("packets of 1350 bytes pass, larger ones are lost; the path should carry 1500")
            assert result.rtt is not None


@pytest.mark.parametrize(
    ("every", "rounds_with"),
    [
        (0, [False] * 5),
        (0.1, [True] * 5),
        (1, [True] * 5),
        (2, [True, False, True, False, True]),
        (1000, [True] + [False] * 4),
    ],
)
def test_when_large_packets_are_sent(every: float, rounds_with: list[bool]) -> None:
    """They are sent in the first round, then in one of `every`.

    They are sent in each if the interval is no longer, and never if it is 0.
    """
    with echo("udp") as port:
        udp = round_of(port, every)
        assert [udp_result(udp).path_mtu is not None for _ in range(5)] == rounds_with


@pytest.mark.usefixtures("ethernet")
def test_until_they_pass_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a loss each round checks. A check without a verdict does not end that, one that passed does."""
    says = [PathMtu(1500, 1400), None, PathMtu(1500, 1500), PathMtu(1500, 1500)]
    monkeypatch.setattr(path_mtu, "run", lambda *_: says.pop(0))
    with echo("udp") as port:
        udp = round_of(port, 1000)
        found = [udp_result(udp).outcome for _ in range(5)]
    assert found == [Outcome.MTU, *[Outcome.SUCCESS] * 4]
    assert len(says) == 1


def test_no_large_packet_if_the_probe_failed() -> None:
    """After a failed probe no large packet is sent, and it stays due."""
    with refusing(socket.SOCK_DGRAM) as port:
        udp = round_of(port, 1000)
        assert udp_result(udp).outcome is Outcome.REFUSED
    with echo("udp", port=port):
        assert udp_result(udp).path_mtu is not None
