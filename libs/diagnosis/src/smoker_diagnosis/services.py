"""Find faults on the paths to the echo services: the DNS, Services on a node, or one echo.

A Service path fails, too, where the network between its source and the echo's node does. Each fault here must be
unlikely to be only the consequence of one that is named already: a dead node is not called a fault of the DNS.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median

from smoker_diagnosis.component import ALL, NODE, SERVICE, Scope
from smoker_diagnosis.evidence import DNS, ECHO, HTTP, TCP, UDP, Cell, Mesh
from smoker_diagnosis.explain import Blamed
from smoker_diagnosis.follows import Follows
from smoker_diagnosis.lossy import Lossy
from smoker_diagnosis.resolvers import LAYER_REPLICA, Resolvers
from smoker_diagnosis.usual import HALF, UsualRate

MOST_OF = 0.8  # share of paths that counts as all
SOME = (0.15, 0.85)  # share of look-ups that fail where one DNS server of several does
LEAST_LOOKUPS = 8  # needed before such a share counts
CHANCE = 1e-2  # that some node is named for failures by chance
FOLLOWS = 1e-5  # that a node is named for failures that pods on another faulty node explain
TOGETHER = 3  # look-ups of a round, one a probe: they fail by chance together
CERTAIN = 2  # failures in a row, where a single path is all that fails

LAYER_DNS, LAYER_SERVICE = "dns", "service"


@dataclass(slots=True)
class Service:
    """A fault of the DNS or of Services. `bits`: the probes that fail, `share` of them where not all do."""

    scope: Scope
    layer: str
    bits: int
    cells: list[Cell]  # that fail
    of: int  # paths that could
    confidence: float
    share: float = 1.0
    note: str = ""
    plane: str = "service"  # of these paths
    pod: str = ""
    well: int = 0  # comparable paths that work
    awaits: bool = False  # whether DNS pods that were not asked since it began may change the name

    @property
    def whole(self) -> bool:
        """Whether it is everywhere, and every attempt fails."""
        return self.scope.kind == ALL and self.share == 1.0


def find_services(mesh: Mesh, blamed: Iterable[Blamed], lossy: Iterable[Lossy]) -> tuple[list[Service], list[Cell]]:
    """Return the faults of Services and the DNS, and the paths that the faults in `blamed` explain."""
    failing = [cell for cell in mesh.troubled if cell.bad]
    if not failing and not any(cell.bad for cell in mesh.resolvers):
        return [], []
    follows = Follows(mesh, blamed, lossy)
    usual = UsualRate(mesh, follows)
    resolvers = Resolvers(mesh, follows)
    found = _dns(mesh, follows, usual, resolvers, failing)
    for dns in found:
        ago = max(cell.failing_for(DNS) for cell in dns.cells)
        if dns.scope.kind == NODE and resolvers.is_surely_cut_off(dns.scope.nodes[0]):
            dns.confidence, dns.awaits = 0.97, not resolvers.each_answered(ago)
        else:
            dns.awaits = not dns.whole and resolvers.will_show(ago)
    found += _direct(resolvers, found)
    echoes = [each for bit in (TCP, UDP, HTTP) if (each := _echo(mesh, follows, failing, bit)) is not None]
    found += _merged(echoes, mesh)
    explained = {id(cell) for each in found for cell in each.cells}
    found += _on_nodes(mesh, follows, usual, [cell for cell in failing if id(cell) not in explained])
    return found, [cell for cell in failing if any(follows.source(cell, bit) for bit in cell.failed)]


def _echo(mesh: Mesh, follows: Follows, failing: Sequence[Cell], bit: int) -> Service | None:
    """Return the fault of one echo service, if it fails from every node."""
    own = follows.apart([cell for cell in failing if cell.bad & bit], bit)
    if not own:
        return None
    known = (cell for cell in mesh.services if cell.known & bit)
    # One more than those of which these are enough: usually a few of thousands fail.
    others = list(islice(follows.apart_from(known, bit), 2 + int(len(own) / MOST_OF)))
    if len(own) < MOST_OF * len(others) or (len(others) == 1 and not _again(own, bit)):
        return None
    share = follows.share(bit, [cell for cell in failing if cell.bad & bit])
    times = sum(cell.failed[bit].streak for cell in own)
    if share and not _unlikely(share, times, len(others), FOLLOWS):
        return None
    return Service(Scope(SERVICE), LAYER_SERVICE, bit, own, len(others), 0.97)


def _merged(echoes: list[Service], mesh: Mesh) -> list[Service]:
    """Return one fault if every echo service fails from every node."""
    if len(echoes) < 2:
        return echoes
    bits = together = 0
    for cell in mesh.services:
        bits |= cell.known & ECHO
    for each in echoes:
        together |= each.bits
    if together != bits:
        return echoes
    cells = list({id(cell): cell for each in echoes for cell in each.cells}.values())
    return [Service(Scope(SERVICE), LAYER_SERVICE, ECHO, cells, len(mesh.services), 0.97)]


def _on_nodes(mesh: Mesh, follows: Follows, usual: UsualRate, failing: Collection[Cell]) -> list[Service]:
    """Return the nodes that reach no Service: kube-proxy, or its replacement, does not work there."""
    found: dict[Scope, Service] = {}
    shares = {bit: follows.share(bit, failing) for bit in (TCP, UDP, HTTP)}
    for cell in failing:
        bits = cell.bad & ECHO
        if not bits or cell.known & ECHO & ~bits or any(follows.source(cell, bit) for bit in cell.failing(ECHO)):
            continue
        rounds = min(cell.failed[bit].streak for bit in cell.failing(ECHO))
        if rounds < CERTAIN:
            continue
        share = max(usual.share(cell, bit) for bit in cell.failing(ECHO))
        if not _unlikely(share, rounds, len(mesh.services)) or _met(shares, len(mesh.services), follows, cell):
            continue
        alone = cell.source in mesh.without_api
        note = "the API server, another Service, does not answer there either" if alone else ""
        sure = 0.97 if _unlikely(share, rounds, len(mesh.services), FOLLOWS) else 0.95
        scope = Scope(NODE, (cell.source,))
        found[scope] = Service(scope, LAYER_SERVICE, bits, [cell], 0, sure, note=note)
    sources = Counter(cell.source for cell in mesh.services) if found else {}
    for scope, service in found.items():
        service.of = sources[scope.nodes[0]]
    return list(found.values())


def _met(shares: Mapping[int, float], many: int, follows: Follows, cell: Cell) -> bool:
    """Return whether `cell` may have met only pods that another fault cuts off: each probe meets a random pod."""
    unlikely = 0.0
    for bit in cell.failing(ECHO):
        share = HALF if cell.source in follows.near else shares[bit]
        if not share:
            return False
        unlikely += cell.failed[bit].streak * -math.log(share)
    return unlikely < -math.log(FOLLOWS / many)


def _unlikely(usual: float, times: int, many: int, chance: float = CHANCE) -> bool:
    """Return whether so many failures in a row are unlikely on any path if attempts fail at the rate `usual`."""
    return usual < 1 and times * -math.log(usual) >= -math.log(chance / max(many, 1))


def _direct(resolvers: Resolvers, found: Sequence[Service]) -> list[Service]:
    """Return the faults that the paths to DNS servers show, in addition to those of look-ups (`found`)."""
    if any(each.layer == LAYER_DNS and each.scope.kind == ALL for each in found):
        return []
    if resolvers.all_broken:
        cells = [cell for each in resolvers.broken for cell in each.cells]
        return [Service(Scope(ALL), LAYER_DNS, DNS, cells, resolvers.count, 0.97, plane="dns")]
    more = [
        Service(
            Scope(NODE, (each.node,)),
            LAYER_REPLICA,
            DNS,
            each.cells,
            each.of,
            0.97 if len(each.cells) > 1 else 0.9,
            plane="dns",
            pod=each.pod,
            well=resolvers.count - sum(one.of for one in resolvers.broken),
            awaits=resolvers.may_be_all(each),
        )
        for each in resolvers.broken
    ]
    named = {node for each in found if each.layer == LAYER_DNS for node in each.scope.nodes}
    for node, cells in resolvers.cut_off.items():
        if node not in named:
            surely = resolvers.is_surely_cut_off(node)
            service = Service(
                Scope(NODE, (node,)), LAYER_DNS, DNS, cells, len(cells), 0.97 if surely else 0.95, plane="dns"
            )
            service.awaits = surely and not resolvers.each_answered(max(cell.failing_for(DNS) for cell in cells))
            more.append(service)
    return more


def _dns(
    mesh: Mesh, follows: Follows, usual: UsualRate, resolvers: Resolvers, failing: Sequence[Cell]
) -> list[Service]:
    """Return the fault of the whole DNS, of one of its servers, or of the nodes that cannot reach it."""
    own = follows.apart([cell for cell in failing if cell.bad & DNS], DNS)
    if not own:
        return []
    others = follows.apart([cell for cell in mesh.services if cell.known & (DNS | ECHO)], DNS)
    # Every look-up of these fails; of others some were answered, perhaps by another DNS server.
    whole = [cell for cell in own if not cell.known & ECHO]
    if whole and len(whole) >= MOST_OF * len(others):
        bad = [cell for cell in failing if cell.bad & DNS]
        if follows.share(DNS, bad) == 1.0 or (len(whole) == 1 and not _again(whole, DNS)):
            return []
        alone = len(others) == 1
        scope = Scope(NODE, (whole[0].source,)) if alone else Scope(ALL)
        return [Service(scope, LAYER_DNS, DNS, own, len(others), 0.9 if alone else 0.97)]
    found, named = [], set[str]()
    # The pods of a node can be cut off from the DNS while the node itself is not: each plane is judged separately.
    answered = {(cell.source, cell.plane) for cell in others if cell.known & ECHO} if whole else set()
    for node in sorted({cell.source for cell in whole if (cell.source, cell.plane) not in answered}):
        cells = [cell for cell in whole if cell.source == node and not resolvers.answer(cell)]
        if not cells:
            continue
        times = sum(cell.failed[DNS].streak for cell in cells)
        share = usual.share(cells[0], DNS)
        chance = FOLLOWS if follows.hosts(DNS) or share > SOME[0] else CHANCE
        if _unlikely(share, times, len(others), chance) and _again(cells, DNS):
            sure = 0.97 if _unlikely(share, times // TOGETHER, len(others), FOLLOWS) else 0.95
            found.append(Service(Scope(NODE, (node,)), LAYER_DNS, DNS, cells, len(cells), sure))
            named.add(node)
    if not resolvers.broken and not follows.hosts(DNS) and not follows.everywhere(DNS):
        found += _one_of_several([cell for cell in own if cell.source not in named | follows.near], others)
    return found


def _one_of_several(partly: Sequence[Cell], asked: Sequence[Cell]) -> list[Service]:
    """Return the fault of one DNS server of several, where a share of all look-ups fails everywhere."""
    if len({cell.source for cell in partly}) < 2:
        return []
    tries = sum(cell.tries.get(DNS, 0) for cell in asked)
    share = sum(cell.misses.get(DNS, 0) for cell in asked) / tries if tries else 0.0
    if tries < LEAST_LOOKUPS or not SOME[0] <= share <= SOME[1]:
        return []
    began = median(cell.failing_for(DNS) for cell in partly)
    if not any(cell.age(bit) < began for cell in asked for bit in (TCP, UDP, HTTP) if cell.known & bit):
        return []  # no answer since: all servers may have failed, and other nodes have not asked yet
    return [Service(Scope(ALL), LAYER_DNS, DNS, list(partly), len(asked), 0.97, share)]


def _again(cells: Collection[Cell], bits: int) -> bool:
    return all(any(cell.failed[bit].streak >= CERTAIN for bit in cell.failing(bits)) for cell in cells)
