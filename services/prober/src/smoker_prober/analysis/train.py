"""What a train of numbered packets and the answers to it say: loss and its direction, order, doubles, jitter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from smoker_prober.analysis.stats import jitter


@dataclass(frozen=True)
class Answer:
    """One answer. Times in nanoseconds."""

    sequence: int  # of the packet it answers
    number: int  # the reflector's own count of its answers
    rtt: int  # from the packet's departure to the answer's arrival, less the time in the reflector; below 0: not known
    late: bool  # after the packet's own deadline


@dataclass(frozen=True)
class Train:
    """Counts of packets; times in seconds, None where there is no sample."""

    sent: int
    lost: int  # not answered before their deadline, for all we know never
    delayed: int  # answered after it: counted apart
    duplicates: int
    reordered: int  # answers that arrived after one to a later packet (RFC 4737)
    requests_lost: int  # of the lost, those that the reflector never counted
    replies_lost: int  # of the lost, those that it answered
    rtts: tuple[float, ...]  # in the order of sending, of packets answered in time
    jitter: float | None  # RFC 3550
    stamped: bool = True  # whether the kernel measured these, and not a clock around the calls

    @property
    def loss_ratio(self) -> float:
        """From 0 to 1. Raises `ZeroDivisionError` for a train of nothing, which is none."""
        return self.lost / self.sent


def judge(sent: Sequence[int], answers: Sequence[Answer], *, stamped: bool = True) -> Train:
    """Count: `sent` are the sequence numbers that left, `answers` come in the order of their arrival."""
    first: dict[int, Answer] = {}
    duplicates = reordered = 0
    highest = -1
    numbers: set[int] = set()
    for answer in answers:
        numbers.add(answer.number)
        if answer.sequence in first:
            duplicates += 1
            continue
        first[answer.sequence] = answer
        reordered += answer.sequence < highest
        highest = max(highest, answer.sequence)
    lost = sum(number not in first for number in sent)
    # Each packet the reflector saw has a number. A number below the highest that did not arrive is an answer lost on
    # its way; what is lost beyond those never reached it. Answers lost after the last one that came count as requests.
    replies_lost = min(lost, max(numbers) + 1 - len(numbers)) if numbers else 0
    in_time = _in_time(sent, first)
    return Train(
        sent=len(sent),
        lost=lost,
        delayed=sum(answer.late for answer in first.values()),
        duplicates=duplicates,
        reordered=reordered,
        requests_lost=lost - replies_lost,
        replies_lost=replies_lost,
        rtts=in_time,
        jitter=jitter(in_time),
        stamped=stamped,
    )


def _in_time(sent: Sequence[int], first: Mapping[int, Answer]) -> tuple[float, ...]:
    answers = (first[n] for n in sent if n in first)
    return tuple(each.rtt / 1e9 for each in answers if each.rtt >= 0 and not each.late)
