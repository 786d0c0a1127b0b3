"""What receivers know when a hub begins to notify, by the memory that the holder before it left in the Lease.

A finding that this hub has open too goes on, and is not sent again. One that has closed here since gets its close. One
that this hub does not know goes on as after a restart: the next looks confirm or close it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from loguru import logger

from smoker_hub.hub import Hub
from smoker_hub.incident import GRAVITY, Incident
from smoker_hub.notify.memory import Handed, LeaseMemory, Sent
from smoker_hub.notify.notifier import Before, Known
from smoker_hub.resume import AWAY, instant, resumed
from smoker_hub.web import now


def take_over(
    hub: Hub,
    memory: LeaseMemory,
    known: Mapping[str, Mapping[str, Known]],
    record: Callable[[Sequence[Incident]], object] | None = None,
) -> Before | None:
    """Return what each receiver knows beyond what is `known`, None where the Lease does not say.

    The hub goes on with what it did not know, and calls `record` with it. What is known from the history has its
    evidence, and comes first.
    """
    handed, memory.handed = memory.handed, None
    if handed is None:
        return None
    found: dict[str, dict[str, Known]] = {}
    recalled = {name: each.incident for of_receiver in known.values() for name, each in of_receiver.items()}
    unknown: dict[str, Incident] = {}  # by id, what this hub has not had
    for sent in handed.sent:
        (receiver,), name = sent.receivers, sent.finding.id
        if name in known.get(receiver, {}):
            continue
        try:
            found.setdefault(receiver, {})[name] = _known(hub, sent, handed, recalled.get(name), unknown)
        except Exception as error:  # texts and numbers of the right types that make no finding
            logger.warning("a finding that the Lease says was sent makes no sense", cause=repr(error))
            memory.drop(sent)
    goes_on = [each for each in unknown.values() if each.phase != "closed"]
    hub.resume(goes_on, [each for each in unknown.values() if each.phase == "closed"])
    if record is not None:
        record(goes_on)
    return Before(found, handed.more)


def _known(hub: Hub, sent: Sent, handed: Handed, recalled: Incident | None, unknown: dict[str, Incident]) -> Known:
    finding = sent.finding
    before = resumed(
        finding,
        hub.clock,
        "clearing",
        first_seen=sent.first_seen,
        last_seen=sent.last_seen,
        opened=sent.opened,
        escalations=sent.escalations,
    )
    view = now.view(hub, before)
    away = hub.clock.wall_time() - handed.renewed > AWAY
    if away:
        before.end(instant(hub.clock, max(handed.renewed, sent.opened)))
    incident = recalled or (None if away else _of_this_hub(hub, sent))
    if incident is None:
        incident = unknown.setdefault(finding.id, before)
    worse = GRAVITY[incident.finding.severity] > GRAVITY[finding.severity]
    return Known(incident, incident.escalations - worse, view)


def _of_this_hub(hub: Hub, sent: Sent) -> Incident | None:
    """Return the same finding as this hub has it, open or closed since; None if it has not had it."""
    name = sent.finding.id
    had = next((each for each in hub.incidents.open if each.id == name), None)
    opened = instant(hub.clock, sent.opened)
    closed = (each for each in hub.incidents.recent() if each.id == name and (each.closed or 0.0) >= opened)
    return had or next(closed, None)
