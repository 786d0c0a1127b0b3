"""The paths to the echo services: a look-up at one of the DNS pods, then a connection to one of the echo's pods."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from .faults import Fault
from .packets import CONFIRMED, PATIENCE, Found, Packet, connection, losses, train
from .world import ALLOWED, DURATION, INTERVAL, NOW, PACKETS, PROBES, SPREAD, TIMEOUT, World, service_began

ROUNDS = 7


def service_results(
    world: World,
    prober: tuple[str, str],
    faults: Sequence[Fault],
    noise: Mapping[int, str] | None,
    chance: random.Random,
    *,
    confirm: bool = False,
) -> dict[str, list[Found]] | None:
    """Return the results of `prober`'s last rounds by probe; None if all are as in health."""
    found: dict[str, list[Found]] = {probe: [] for probe in PROBES}
    bad = False
    for back in range(ROUNDS - 1, -1, -1):
        for probe in PROBES:
            when = NOW - service_began(world, prober, probe) - back * INTERVAL
            result = one(world, prober, probe, [fault for fault in faults if fault.begin <= when], when, chance)
            if noise and noise.get(back) in ("all", probe):
                result = Found(when, when + TIMEOUT, "timeout")
            bad = bad or result.outcome != "success" or result.lost > 0
            if result.ended <= NOW:
                found[probe].append(result)
                if confirm and result.outcome != "success":
                    later = result.ended + CONFIRMED
                    active = [x for x in faults if x.begin <= later]
                    again = one(world, prober, probe, active, later, chance, PATIENCE)
                    found[probe].extend([again._replace(confirms=True)] if again.ended <= NOW else [])
    return found if bad else None


def one(
    world: World,
    prober: tuple[str, str],
    probe: str,
    faults: Sequence[Fault],
    when: float,
    chance: random.Random,
    timeout: float = TIMEOUT,
) -> Found:
    """Return the result of one probe of `timeout` seconds that begins at `when`, while `faults` last."""
    node, _ = prober
    if not _resolved(world, prober, faults, chance):
        return Found(when, when + timeout, "resolve_error")
    for fault in faults:
        if probe in fault.echo:
            outcome = fault.echo[probe]
            return Found(when, when + (timeout if outcome == "timeout" else 0.001), outcome)
        if node in fault.service_on:
            return Found(when, when + timeout, "timeout")
    backend = chance.choice(world.echoes[probe])
    request, reply = _losses(world, prober, backend, probe, faults)
    if probe != "udp":
        took = connection(chance, request, reply) if request < 1 and reply < 1 else timeout + 1
        if took > timeout:
            return Found(when, when + timeout, "timeout")
        return Found(when, when + DURATION[probe] + took, "success")
    if chance.random() < request or chance.random() < reply:
        return Found(when, when + timeout, "timeout")
    request, reply = _losses(world, prober, chance.choice(world.echoes[probe]), "train", faults)
    counts = train(chance, request, reply) if request or reply else (PACKETS, 0, 0, 0)
    return Found(when, when + (DURATION["udp"] if not counts[1] else SPREAD + TIMEOUT), "success", *counts, ALLOWED)


def _losses(world: World, prober: tuple[str, str], pod: str, kind: str, faults: Sequence[Fault]) -> tuple[float, float]:
    """Return the losses between `prober` and a pod on the node `pod`."""
    node, network = prober
    overlay = node != pod and world.overlay("pod" if network == "pod" else "host-pod")
    packet = Packet(node, pod, network == "pod", True, overlay, world.shape.families[0], kind, False)
    request = reply = 0.0
    for fault in faults:
        if fault.drop is None:
            continue
        if kind == "dns":
            one = fault.drop(packet)
            back = Packet(pod, node, True, packet.from_pod, overlay, packet.family, kind, True)
            other = fault.drop(back)
        else:
            one, other = losses(fault.drop, packet).get(kind, (0.0, 0.0))
        request, reply = 1 - (1 - request) * (1 - one), 1 - (1 - reply) * (1 - other)
    return request, reply


def _resolved(world: World, prober: tuple[str, str], faults: Sequence[Fault], chance: random.Random) -> bool:
    """Return whether the look-up is answered. The resolver asks one DNS pod, and has no time for a second query."""
    node, _ = prober
    if any(fault.dns_all or node in fault.dns_on for fault in faults):
        return False
    if world.shape.node_local_dns:
        return True
    if any(node in fault.service_on for fault in faults):
        return False
    replica = chance.choice(world.dns)
    if any(replica in fault.dns_replicas for fault in faults):
        return False
    request, reply = _losses(world, prober, replica, "dns", faults)
    return chance.random() >= request and chance.random() >= reply
