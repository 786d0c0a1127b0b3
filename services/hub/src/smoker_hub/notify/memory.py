"""What receivers were sent, as text of an annotation of the Lease: so the next holder knows it, in a new pod, too.

The holder writes it with each renewal, `{"sent": [{receivers, dates, finding}], "more": false, "transitions": 3}`,
and a hub reads it when it takes the Lease. It is a memory and no more: where a write fails or the text cannot be used,
the next holder sends open findings again. At most `MOST` findings and `LARGEST` bytes are kept, the newest; `more`:
others were left out. The next holder sends these again, so it repeats `more` only for `AWAY` seconds, longer than a
message is tried. Findings are without the paths of their evidence.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from loguru import logger

from smoker_common.clock import Clock
from smoker_diagnosis.component import Scope
from smoker_diagnosis.finding import Finding
from smoker_hub.notify.receiver import Notice
from smoker_hub.resume import AWAY

MOST = 100  # findings
LARGEST = 24_000  # bytes; an annotation's quotes are escaped, and a Lease of more than 64 KiB is not read
LARGEST_ENTRY = 2_000  # bytes of one finding
MOST_ESCALATIONS = 1_000_000

_LEFT_OUT = ("beside", "failing", "working", "flows", "kept_ports", "last_hops", "notes", "causes", "awaits")
_DEFAULTS: dict[str, Any] = msgspec.to_builtins(Finding(id="", kind="fault", scope=Scope(""), layer=""))
_ALWAYS = ("id", "kind", "scope", "layer")


class Sent(msgspec.Struct, frozen=True):
    """A finding as receivers were last sent it. Dates are seconds since the epoch."""

    receivers: tuple[str, ...]
    first_seen: float
    last_seen: float
    opened: float
    escalations: int
    finding: Finding


class _Document(msgspec.Struct, frozen=True):
    sent: tuple[Sent, ...]
    more: bool
    transitions: int


class Handed(NamedTuple):
    """What the holder before this hub had sent. `renewed`: the date of its last renewal; `more`: what is not known."""

    sent: tuple[Sent, ...]
    renewed: float
    more: bool


_document = msgspec.json.Decoder(_Document)


class LeaseMemory:
    """Remembers what `receivers`, by name, were sent; the log records for an OTLP collector are one of them."""

    def __init__(self, receivers: Iterable[str], clock: Clock) -> None:
        self._receivers, self._clock = frozenset(receivers), clock
        self._sent: dict[tuple[str, str], Sent] = {}  # by receiver and finding, the one that was sent last is the last
        self._more_until = float("-inf")  # the instant until which what the last holder left out may not be known
        #: What the last holder before this hub had sent, None where that is not known.
        self.handed: Handed | None = None

    def settled(self, receiver: str, notice: Notice) -> None:
        """Remember that `receiver` was sent a finding, or forget one whose close it was sent."""
        view = notice.view
        key = receiver, view.id
        self._sent.pop(key, None)
        if notice.event != "close":
            opened = view.first_seen if view.opened is None else view.opened
            self._sent[key] = Sent(
                (receiver,), view.first_seen, view.last_seen, opened, view.escalations, _without_paths(view.finding)
            )

    def forget(self) -> None:
        """Forget all: another hub notifies."""
        self._sent.clear()
        self._more_until = float("-inf")

    def text(self, transitions: int) -> str:
        """Return the annotation, for a Lease that has changed hands so often."""
        grouped: dict[tuple[object, ...], list[Sent]] = {}
        for each in reversed(self._sent.values()):
            finding = each.finding
            grouped.setdefault((finding.id, each.opened, each.escalations, finding.severity), []).append(each)
        entries, size, more = list[bytes](), 0, self._clock.now() < self._more_until
        for same in grouped.values():
            if len(entries) == MOST:
                more = True
                break
            body = _encoded(same[0], sorted(each.receivers[0] for each in same))
            if len(body) > LARGEST_ENTRY:
                more = True
                continue
            if size + len(body) > LARGEST - 100:
                more = True
                break
            entries.append(body)
            size += len(body) + 1
        sent = b",".join(reversed(entries)).decode()
        return f'{{"sent":[{sent}],"more":{str(more).lower()},"transitions":{transitions}}}'

    def load(self, text: str, transitions: int, renewed: float) -> None:
        """Take in what the holder before this hub wrote at the date `renewed`. Ignore text that no holder writes.

        Ignore, too, what is older than the last change of hands: a hub that knows no memory has notified since.
        """
        self.lose()
        if not text:
            return
        try:
            found = _document.decode(text) if len(text) <= LARGEST else None
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            found = None
        latest = self._clock.wall_time() + AWAY
        if found is None or len(found.sent) > MOST or not all(_is_plausible(each, latest) for each in found.sent):
            logger.warning("what the Lease says of sent notifications cannot be read; open findings are sent again")
            return
        if found.transitions != transitions:
            return
        if found.more:
            self._more_until = self._clock.now() + AWAY
        for each in found.sent:
            for receiver in self._receivers.intersection(each.receivers):
                self._sent[receiver, each.finding.id] = msgspec.structs.replace(each, receivers=(receiver,))
        self.handed = Handed(tuple(self._sent.values()), renewed, found.more)

    def lose(self) -> None:
        """Forget all, also what was taken in: another hub has got the Lease."""
        self.forget()
        self.handed = None

    def drop(self, sent: Sent) -> None:
        """Forget a finding that makes no sense."""
        self._sent.pop((sent.receivers[0], sent.finding.id), None)


def _without_paths(finding: Finding) -> Finding:
    return msgspec.structs.replace(finding, **dict.fromkeys(_LEFT_OUT, ()))


def _encoded(sent: Sent, receivers: list[str]) -> bytes:
    """Return the JSON of an entry, without the fields of the finding that have their default."""
    entry: dict[str, Any] = msgspec.to_builtins(sent)
    finding = {
        name: value for name, value in entry["finding"].items() if name in _ALWAYS or value != _DEFAULTS.get(name)
    }
    return msgspec.json.encode({**entry, "receivers": receivers, "finding": finding})


def _is_plausible(sent: Sent, latest: float) -> bool:
    """Return whether dates and numbers are such as a hub writes."""
    finding = sent.finding
    dates = all(0.0 < each <= latest for each in (sent.first_seen, sent.last_seen, sent.opened))
    shares = all(0.0 <= each <= 1.0 for each in (finding.confidence, finding.share))
    return dates and shares and 0 <= sent.escalations <= MOST_ESCALATIONS
