"""The noise of a real network: nodes lose some packets of the overlay, and now and then a single path breaks."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Event, Thread

from tests.e2e import faults
from tests.e2e.accuracy.faults import OVERLAY
from tests.e2e.accuracy.lab import Lab
from tests.images.command import CommandError

PROBES = (("tcp", "8080"), ("udp", "8081"), ("tcp", "8082"))  # protocol and port
COMMENT = ("-m", "comment", "--comment", "noise")  # not that of the faults, so that healing one leaves the noise
EVERY = 8.0  # seconds from one broken path to the next
FOR = 3.0  # seconds for which a path is broken: about half of these meet a probe, if the interval is 5 s


@contextmanager
def noise(lab: Lab, share: float) -> Iterator[None]:
    """Lose `share` of the overlay's packets on each node, and break one path after the other, until the block ends."""
    with ExitStack() as stack:
        some = ("-m", "statistic", "--mode", "random", "--probability", str(share))
        for node in lab.nodes:
            stack.enter_context(_dropped(node, ("INPUT", *OVERLAY, *some)))
        end = Event()
        thread = Thread(target=_break_paths, args=(lab, end), daemon=True)
        thread.start()
        stack.callback(thread.join, 60)
        stack.callback(end.set)
        yield


def _break_paths(lab: Lab, end: Event) -> None:
    """Break one probe between two pods after the other. What it hits comes from a fixed seed."""
    order = random.Random(1)
    pairs = list(itertools.permutations(lab.nodes, 2))
    while not end.wait(EVERY - FOR):
        (source, destination), (protocol, port) = order.choice(pairs), order.choice(PROBES)
        try:
            ends = ("-s", lab.pod_address(source), "-d", lab.pod_address(destination))
            with _dropped(destination, ("FORWARD", *ends, "-p", protocol, "--dport", port)):
                end.wait(FOR)
        except (CommandError, StopIteration, KeyError):  # a prober that is being replaced
            continue


@contextmanager
def _dropped(node: str, match: Sequence[str]) -> Iterator[None]:
    rule = (*match, *COMMENT, "-j", "DROP")
    faults.on(node, "iptables", "-w", "5", "-I", *rule)
    try:
        yield
    finally:
        faults.on(node, "iptables", "-w", "5", "-D", *rule)
