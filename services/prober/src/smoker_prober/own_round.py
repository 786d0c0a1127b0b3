"""The round of `once` on its own node: one round, and those that are repeated."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from gevent.event import Event

from smoker_diagnosis.by_loss import SILENCE
from smoker_prober import report
from smoker_prober import round as rounds
from smoker_prober.config.service import hosts
from smoker_prober.peers.responder import never_answered
from smoker_prober.result import Result
from smoker_prober.settings import Settings
from smoker_prober.target import Path

SETTLE = 1.0  # seconds between two rounds of `once --settle`
AGAIN = 3  # rounds for probes that got no answer, where packet loss is tolerated
REPEATS = 15.0  # seconds after which none of these probes begins: Helm ends a test after 300


def one_round(settings: Settings) -> Iterator[Result]:
    """Yield the results of one round of all targets."""
    for targets in hosts(settings).values():
        yield from rounds.Round.of(settings, targets, never_answered(settings)).results()


def has_failed(found: list[Result], *, tolerant: bool) -> bool:
    """Return whether a probe of `found` failed for good. With `tolerant`, one without an answer may be repeated."""
    return not all(each.outcome.ok or (tolerant and each.outcome in SILENCE) for each in found)


def asked_again(settings: Settings, found: list[Result], *, lossy: bool) -> list[Result]:
    """Repeat the round for probes of `found` without an answer. Return `found` with the last result of each of them.

    It is repeated a few times at most, and only if packets are lost, which is tolerated: that hits these probes, too.
    After `REPEATS` seconds it ends in the middle of a round; what has no later result keeps the one that it has.
    """
    until = time.monotonic() + REPEATS
    for _ in range(AGAIN if lossy else 0):
        silent = {(each.probe, each.target.path) for each in found if each.outcome in SILENCE}
        if not silent or time.monotonic() >= until:
            break
        words = (
            f"{len(silent)} of {len(found)} probes got no answer; packet loss is tolerated, so the round is repeated"
        )
        print(words, file=sys.stderr)
        later = {}
        for each in one_round(settings):
            later[each.probe, each.target.path] = each
            if time.monotonic() >= until:
                break
        keys = [(each.probe, each.target.path) for each in found]
        found = [later.get(key, each) if key in silent else each for key, each in zip(keys, found, strict=True)]
    return found


def settle(settings: Settings, patience: float) -> None:
    """Do rounds that do not count, until each probe was answered once, for `patience` seconds at most."""
    until, pause, answered = time.monotonic() + patience, Event(), set[tuple[str, Path]]()
    while True:
        found = list(one_round(settings))
        answered |= {(result.probe, result.target.path) for result in found if result.outcome.ok}
        if len(answered) == len(found):
            return
        print("settling:", report.verdict(found, settings.process.node_name), file=sys.stderr)
        if time.monotonic() >= until:
            return
        pause.wait(SETTLE)
