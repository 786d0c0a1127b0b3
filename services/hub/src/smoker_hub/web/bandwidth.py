"""The newest measured bandwidth from one node to another. A transfer between two probers measures both directions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gevent

from smoker_hub.web.then import Moment
from smoker_hub.web.views import Bandwidth

BATCH = 50  # probers after which other greenlets may run
Pair = tuple[str, str, str, str]  # source, target, plane, family


def newest(moment: Moment, wanted: dict[str, Any], most: int) -> list[Bandwidth]:
    """Return the newest bandwidth of each pair whose fields are those of `wanted`, at most `most`, the newest first."""
    found: dict[Pair, Bandwidth] = {}
    for each in _measured(moment):
        if all(getattr(each, name) == value for name, value in wanted.items()):
            pair = each.source, each.target, each.plane, each.family
            if pair not in found or each.age < found[pair].age:
                found[pair] = each
    return sorted(found.values(), key=lambda each: each.age)[:most]


def _measured(moment: Moment) -> Iterator[Bandwidth]:
    """Yield both directions of every transfer that a prober remembers."""
    collected = moment.collected
    for number, state in enumerate(collected.states, 1):
        passed = state.at + collected.waited.get((state.node, state.network), 0.0)
        for each in state.bandwidth:
            age, back = round(passed - each.at, 3), "-".join(reversed(each.plane.split("-")))
            if each.out:
                ends = {"source": state.node, "target": each.node, "plane": each.plane, "family": each.family}
                yield Bandwidth(
                    **ends, rate=each.out, retransmits=each.out_retransmits, age=age, measured_by=state.node
                )
            if each.back:
                ends = {"source": each.node, "target": state.node, "plane": back, "family": each.family}
                yield Bandwidth(
                    **ends, rate=each.back, retransmits=each.back_retransmits, age=age, measured_by=state.node
                )
        if not number % BATCH:
            gevent.sleep(0)
