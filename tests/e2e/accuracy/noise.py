"""The noise of a real network: nodes lose some packets of the overlay, and now and then a path breaks for a moment."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Event, Thread

from tests.e2e import faults
from tests.e2e.accuracy.lab import Lab
from tests.images.command import CommandError

OVERLAY = ("-p", "udp", "--dport", "8472")
COMMENT = ("-m", "comment", "--comment", "noise")  # not that of the faults, so that healing one leaves the noise
EVERY = 8.0  # seconds from one broken path to the next
FOR = 1.5  # seconds for which a path is broken: longer than the timeout of a probe (1 s)


@contextmanager
def noise(lab: Lab, share: float) -> Iterator[None]:
    """Lose `share` of the overlay's packets on each node, and break one path after the other, until the block ends."""
    with ExitStack() as stack:
        random_ones = ("-m", "statistic", "--mode", "random", "--probability", str(share))
        for node in lab.nodes:
            stack.enter_context(_dropped(node, (*OVERLAY, *random_ones)))
        end = Event()
        thread = Thread(target=_break_paths, args=(lab, end), daemon=True)
        thread.start()
        stack.callback(thread.join, 30)
        stack.callback(end.set)
        yield


def _break_paths(lab: Lab, end: Event) -> None:
    order = random.Random(1)
    pairs = list(itertools.permutations(lab.nodes, 2))
    while not end.wait(EVERY - FOR):
        source, destination = order.choice(pairs)
        try:
            with _dropped(destination, (*OVERLAY, "-s", lab.address(source))):
                end.wait(FOR)
        except CommandError:  # such as a node whose link is down
            continue


@contextmanager
def _dropped(node: str, match: Sequence[str]) -> Iterator[None]:
    rule = ("INPUT", *match, *COMMENT, "-j", "DROP")
    faults.on(node, "iptables", "-w", "5", "-I", *rule)
    try:
        yield
    finally:
        faults.on(node, "iptables", "-w", "5", "-D", *rule)
