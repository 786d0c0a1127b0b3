"""Judge a train of numbered packets by the answers to it: loss and its direction, order, duplicates, jitter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from smoker_diagnosis.stats import jitter


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

    sent: int  # packets that left
    lost: int  # not answered before their deadline
    delayed: int  # answered after it: counted apart
    duplicates: int
    reordered: int  # answers that arrived after one to a later packet (RFC 4737)
    requests_lost: int  # of the lost, those that the reflector never counted
    replies_lost: int  # of the lost, those that it answered
    rtts: tuple[float, ...]  # in the order of sending, of packets answered in time
    jitter: float | None  # RFC 3550
    stamped: bool = True  # whether the kernel measured these, and not a clock around the calls
    unreadable: int = 0  # packets whose fate is unknown because answers could not be read

    @property
    def known(self) -> int:
        """Return how many packets have a known fate."""
        return self.sent - self.unreadable

    @property
    def loss_ratio(self) -> float | None:
        """Return the lost share of the packets with a known fate, from 0 to 1; None where there is none."""
        return self.lost / self.known if self.known else None


def judge(sent: Sequence[int], answers: Sequence[Answer], *, stamped: bool = True, unreadable: int = 0) -> Train:
    """Count the fates of the packets that left.

    `sent`: their sequence numbers. `answers`: those that could be read, in the order of their arrival. `unreadable`:
    how many could not be read. Each stands for a packet whose fate is unknown.
    """
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
    unanswered = sum(number not in first for number in sent)
    # If no answer could be read, the other side speaks another protocol: the fate of every packet is unknown.
    unreadable = min(unanswered, unreadable) if first or not unreadable else unanswered
    lost = unanswered - unreadable
    # The reflector numbers each packet that it saw. A number below the highest that did not arrive is an answer lost on
    # its path; what is lost beyond those never reached it. Answers lost after the last one that came count as requests.
    # Numbers higher than a train can have: the reflector had begun before (it takes this train for an earlier one).
    begun = min(numbers, default=0) if max(numbers, default=0) >= len(sent) + duplicates else 0
    gaps = max(numbers) + 1 - begun - len(numbers) if numbers else 0
    replies_lost = min(lost, max(gaps - unreadable, 0))
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
        unreadable=unreadable,
    )


def _in_time(sent: Sequence[int], first: Mapping[int, Answer]) -> tuple[float, ...]:
    answers = (first[n] for n in sent if n in first)
    return tuple(each.rtt / 1e9 for each in answers if each.rtt >= 0 and not each.late)
