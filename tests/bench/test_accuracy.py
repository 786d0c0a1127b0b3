"""What the accuracy bench makes of frames, results and cgroup files: no root, no namespace, no quota needed."""

from __future__ import annotations

import io
import socket
import struct
from pathlib import Path

import pytest

from . import accuracy_quota as quota
from .accuracy_capture import HEAD, RECORD, read
from .accuracy_errors import Spread, compare, compare_trains, judge
from .accuracy_frames import ACK, SYN, TCP, UDP, Exchange, Packet, exchanges, parse, reflections
from .accuracy_job import Job, Probed
from .accuracy_lab import DIRECT, SLOW
from .accuracy_situations import counted, micro, times
from .build import BenchError

NEAR, FAR = "192.0.2.1", "198.18.1.7"
MS = 1_000_000  # ns


def ip_packet(protocol: int, body: bytes, source: str = NEAR, target: str = FAR, fragment: int = 0) -> bytes:
    """An IPv4 packet with a header of 20 bytes."""
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, fragment, 64, protocol, 0)
    return head + socket.inet_aton(source) + socket.inet_aton(target) + body


def tcp_segment(flags: int, payload: bytes = b"", options: int = 0) -> bytes:
    """A segment with so many words of options."""
    return (
        struct.pack("!HHIIBBHHH", 40000, 8080, 0, 0, (5 + options) << 4, flags, 0, 0, 0) + bytes(4 * options) + payload
    )


def there(stamp: int, flags: int = 0, payload: bytes = b"", protocol: int = TCP) -> Packet:
    """To the far end."""
    return Packet(stamp, protocol, NEAR, FAR, flags, len(payload), payload)


def back(stamp: int, flags: int = 0, payload: bytes = b"", protocol: int = TCP) -> Packet:
    """From the far end."""
    return Packet(stamp, protocol, FAR, NEAR, flags, len(payload), payload)


def test_a_segment_is_read_past_its_options() -> None:
    """The payload begins where the header says, and is as long as the IP header says: no padding of the link counts."""
    packet = parse(5, ip_packet(TCP, tcp_segment(SYN | ACK, b"PING", options=3)) + b"\0\0")
    assert packet == Packet(5, TCP, NEAR, FAR, SYN | ACK, 4, b"PING")


def test_a_datagram_cut_by_the_capture_keeps_its_length() -> None:
    """The capture keeps the first bytes; how many there were is in the header."""
    whole = ip_packet(UDP, struct.pack("!HHHH", 40000, 8081, 108, 0) + bytes(100))
    packet = parse(5, whole[:60])
    assert packet is not None
    assert (packet.length, len(packet.payload)) == (100, 32)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x60" + bytes(59),  # IPv6
        ip_packet(1, bytes(8)),  # ICMP
        ip_packet(TCP, bytes(8)),  # cut inside the TCP header
        ip_packet(UDP, bytes(8), fragment=100),
    ],
)
def test_packets_without_a_whole_tcp_or_udp_header_are_skipped(raw: bytes) -> None:
    """Router solicitations, ICMP, fragments and the like are none of the bench's."""
    assert parse(0, raw) is None


def test_the_truth_of_tcp_is_from_syn_to_syn_ack() -> None:
    """The handshake's RTT, and the time the network had the ball: the prober's own pause between is in neither."""
    seen = [
        there(0, SYN),
        back(2 * MS, SYN | ACK),
        there(2 * MS, ACK),
        there(90 * MS, ACK, b"PING"),
        back(91 * MS, ACK),
        back(93 * MS, ACK, b"PING"),
    ]
    exchange = exchanges(seen, DIRECT.probed)[FAR]
    assert exchange.rtt == pytest.approx(0.002)
    assert exchange.network == pytest.approx(0.005)


def test_a_syn_sent_twice_has_no_single_truth() -> None:
    """Nobody knows which of the two the answer is for."""
    exchange = exchanges([there(0, SYN), there(1000 * MS, SYN), back(1001 * MS, SYN | ACK)], DIRECT.probed)[FAR]
    assert (exchange.rtt, exchange.network) == (None, None)


def test_an_answer_that_never_came_gives_no_network_time() -> None:
    """Connected, PING sent, nothing back: not answered, though the handshake was."""
    exchange = exchanges([there(0, SYN), back(MS, SYN | ACK), there(2 * MS, ACK, b"PING")], DIRECT.probed)[FAR]
    assert exchange.rtt == pytest.approx(0.001)
    assert exchange.network is None


def test_the_truth_of_udp_is_to_the_first_datagram_back() -> None:
    """A duplicate changes nothing, and what is not of the far end's addresses is not looked at."""
    stranger = Packet(0, UDP, NEAR, "203.0.113.9", 0, 4, b"PING")
    seen = [stranger, *(there(0, 0, b"PING", UDP), back(3 * MS, 0, b"PING", UDP), back(9 * MS, 0, b"PING", UDP))]
    found = exchanges(seen, DIRECT.probed)
    assert list(found) == [FAR]
    assert found[FAR].rtt == pytest.approx(0.003)
    assert exchanges(seen, SLOW.probed) == {}


def test_stamp_packets_are_matched_by_their_numbers() -> None:
    """The sender's number is at the front of its packet and at octet 24 of the answer; the reflector has its own."""

    def answer(stamp: int, sender: int, own: int) -> Packet:
        return back(stamp, 0, struct.pack("!I20xI16x", own, sender), UDP)

    asked = [there(number * MS, 0, struct.pack("!I40x", number), UDP) for number in range(3)]
    found = reflections([*asked, answer(7 * MS, 2, 0), answer(9 * MS, 0, 1), answer(99 * MS, 0, 2)], DIRECT.probed)
    assert found == {(FAR, 2): pytest.approx(0.005), (FAR, 0): pytest.approx(0.009)}


def test_a_capture_is_read_as_it_was_written() -> None:
    """How many packets were lost, then stamp and bytes of each."""
    raw = HEAD.pack(3) + b"".join(RECORD.pack(stamp, len(data)) + data for stamp, data in ((1, b"abc"), (2, b"")))
    assert read(io.BytesIO(raw)) == (3, [(1, b"abc"), (2, b"")])


def test_errors_are_distances_from_the_truth() -> None:
    """Below or above alike; without an answer or without a truth there is none, and that is counted."""
    truth = {
        "a": Exchange([0], 10 * MS),
        "b": Exchange([0], 10 * MS),
        "c": Exchange([0, 1], 10 * MS),
        "d": Exchange([0]),
    }
    probes = [
        Probed("a", "success", 0.2, 0.15, (0.009,), "kernel"),
        Probed("b", "success", 0.2, 0.01, (0.012,), "clock"),
        Probed("c", "success", 0.2, 0.15, (0.009,), "kernel"),
        Probed("d", "timeout", 0.2, 0.15),
    ]
    errors = compare(probes, truth, {})
    assert errors.reported == pytest.approx([0.001, 0.002])
    assert errors.clock == pytest.approx([0.14, 0.0])
    assert (dict(errors.methods), dict(errors.failures), errors.unknown) == (
        {"kernel": 1, "clock": 1},
        {"timeout": 1},
        1,
    )


def test_the_time_at_the_far_end_can_be_left_out_of_the_truth() -> None:
    """With a capture at both ends the truth is the path's alone; where one has not seen it there is none."""
    probes = [Probed(name, "success", 0.0, 0.0, (0.004,), "kernel") for name in ("a", "b")]
    near = {"a": Exchange([0], 10 * MS), "b": Exchange([0], 10 * MS)}
    errors = compare(probes, near, {"a": Exchange([2 * MS], 8 * MS)})
    assert errors.truth == pytest.approx([0.004])
    assert errors.reported == pytest.approx([0.0])
    assert errors.unknown == 1


def test_a_train_counts_packet_by_packet_when_it_is_whole() -> None:
    """An RTT has no number; with one missing nobody knows whose it is."""
    truth = {("a", number): 0.010 for number in range(3)} | {("b", 0): 0.010}
    inside = {("a", number): 0.009 for number in range(2)} | {("b", 0): 0.009}
    whole = Probed("a", "success", rtts=(0.001, 0.003, 0.001), method="stamp", sent=3)
    broken = Probed("b", "success", rtts=(0.001,), method="stamp", sent=2, error="lost 1, delayed 0")
    errors = compare_trains([whole, broken], truth, inside)
    assert errors.reported == pytest.approx([0.0, 0.002])
    assert (errors.unknown, dict(errors.failures)) == (1, {"lost 1, delayed 0": 1})


def test_a_timeout_is_false_when_the_answer_had_come() -> None:
    """A timeout is false if the answer had arrived; a success is false if it had not."""
    truth = {
        "in time": Exchange([0], 10 * MS),
        "called a timeout": Exchange([0], 10 * MS),
        "late": Exchange([0], 80 * MS),
        "lost": Exchange([0]),
    }
    probes = [
        Probed("in time", "success", 0.2),
        Probed("called a timeout", "timeout", 0.051),
        Probed("late", "success", 0.09),
        Probed("lost", "timeout", 0.05),
        Probed("never sent", "timeout", 0.05),
    ]
    verdicts = judge(probes, truth, 0.05)
    assert (verdicts.probes, verdicts.answered, verdicts.false) == (5, 2, 1)
    assert (verdicts.clock, verdicts.forgiven) == (2, 1)


def test_percentiles_are_values_that_were_measured() -> None:
    """Nearest rank: with few values p99 is the highest of them."""
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(3, 2.0, 3.0, 3.0)
    assert Spread.of([float(n) for n in range(200)]).p99 == 197


def test_jobs_and_results_survive_the_transfer_between_processes() -> None:
    """A line of JSON each."""
    job = Job("train", ["198.18.0.1"], 1, 0.0, 1.0, 10, 0.5)
    probed = Probed("198.18.0.1", "success", 1.5, 0.5, (0.1, 0.2), "stamp", 2)
    assert Job.loads(job.dumps()) == job
    assert Probed.loads(probed.dumps()) == probed
    assert '"port": 862' in job.dumps()


def test_generated_addresses_stay_in_their_network() -> None:
    """There are 65,536, and no more."""
    assert [DIRECT.address(0), SLOW.address(65_535)] == ["198.18.0.0", "198.19.255.255"]
    with pytest.raises(BenchError):
        DIRECT.address(65_536)


@pytest.mark.parametrize(("text", "microseconds"), [("50m", 5_000), ("100m", 10_000), ("0.05", 5_000), ("2", 200_000)])
def test_a_quota_is_a_share_of_a_period(text: str, microseconds: int) -> None:
    """As Kubernetes writes CPU, on a period of 100 ms."""
    assert quota.parse_quota(text) == microseconds


@pytest.mark.parametrize("text", ["9m", "0", "-1", "m", "fast"])
def test_an_invalid_quota_is_refused(text: str) -> None:
    """Below a millisecond a period the kernel says EINVAL."""
    with pytest.raises(ValueError, match=r"less CPU|could not convert"):
        quota.parse_quota(text)


def test_both_versions_of_cpu_stat_are_read() -> None:
    """Nanoseconds in one, microseconds in the other."""
    expected = quota.Throttled(31, 29, 2.4)
    assert quota.parse_stat("nr_periods 31\nnr_throttled 29\nthrottled_time 2400000000\n") == expected
    assert quota.parse_stat("usage_usec 9\nnr_periods 31\nnr_throttled 29\nthrottled_usec 2400000\n") == expected
    assert expected - quota.Throttled(1, 1, 0.4) == quota.Throttled(30, 28, 2.0)


def test_the_cpu_controller_is_found_among_the_mounts() -> None:
    """Version 1 first, where both are mounted; cpuacct and cpuset are others."""
    mounts = (
        "30 1 0:1 / / rw - ext4 /dev/vda rw\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
        "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
        "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    )
    assert quota.parse_mounts(mounts) == [
        quota.Controller(1, Path("/sys/fs/cgroup/cpu,cpuacct")),
        quota.Controller(2, Path("/sys/fs/cgroup/unified")),
    ]


@pytest.fixture
def root(tmp_path: Path) -> quota.Controller:
    """Files as in the root of a cgroup of version 2."""
    (tmp_path / "cgroup.subtree_control").write_text("memory pids\n")
    return quota.Controller(2, tmp_path)


def test_the_controller_is_taken_back_from_the_children(root: quota.Controller) -> None:
    """Version 2: children have a quota only while their parent hands the controller down."""
    control = root.root / "cgroup.subtree_control"
    with quota._delegated(root):
        assert control.read_text() == "+cpu\n"
    assert control.read_text() == "-cpu\n"
    control.write_text("cpu memory\n")
    with quota._delegated(root):
        pass
    assert control.read_text() == "cpu memory\n"  # others had it so


def test_a_number_is_written_for_people() -> None:
    """Microseconds with thousands; a ratio never divides by less than the stamps resolve."""
    assert micro(0.1234567) == "123,457"
    assert times(0.1, 0.0) == pytest.approx(100_000)
    assert counted(compare([Probed("a", "timeout")], {}, {}).failures) == "timeout 1"
