"""What an open finding leaves while its fault heals: some paths work again, others have not been probed since.

For up to a round the paths that have not been probed again look like a smaller fault of the same place. They are no
news as long as each of them has failed without a break since before the finding was last seen. Lost packets count for
some rounds: for so long a loss of a whole node leaves what looks like a loss on some of its paths.
"""

from __future__ import annotations

from collections.abc import Collection

from smoker_diagnosis.finding import Finding, Seen, is_sure
from smoker_diagnosis.sightings import COUNTED, OF_PATHS, OF_SERVICES

LEFT = (*OF_PATHS, "unknown")


def remains_of(before: Finding, ago: float, now: Finding) -> bool:
    """Return whether `now` has only paths that `before`, last seen `ago` seconds ago, leaves while it heals.

    `now` is smaller than `before`, its paths touch the place of `before`, and each of them began to fail before
    `before` was last seen. A path that has begun to fail since then belongs to a fault of its own. Of a loss nobody
    knows when it began: only the place and the number of paths count.
    """
    if before.kind == now.kind == "loss":
        return is_sure(before) and _is_within(now, before)
    if not leaves_paths(before) or now.kind not in LEFT or not now.failing:
        return False
    if before.kind in OF_SERVICES and now.kind in ("fault", "mtu"):  # the network explains more than a Service
        return False
    return _is_within(now, before) and all(each.since >= ago for each in now.failing)


def is_part_of(small: Finding, whole: Finding) -> bool:
    """Return whether `whole` explains every path of `small`, which was named when fewer paths had failed.

    A fault shows path by path, as each is probed again: what a node does to its first paths can look like a pair.
    """
    if not leaves_paths(whole) or small.kind not in LEFT:
        return False
    paths = sum(count.failing for count in small.counts)
    if small.kind in OF_SERVICES:
        return whole.kind not in OF_SERVICES and 0 < paths <= whole.follows
    planes = {count.plane for count in whole.counts if count.failing}
    return bool(small.failing) and _is_within(small, whole) and planes.issuperset(each.plane for each in small.failing)


def shows_flows(before: Finding, now: Finding) -> bool:
    """Return whether `now` shows that only some flows of the place of `before` fail: that is still the same fault.

    Until the flows are checked, or when many probes have hit the broken ones, the whole place seems to fail.
    """
    kinds = {before.kind, now.kind}
    same_place = set(before.scope.nodes) == set(now.scope.nodes) != set()
    return kinds <= {"fault", "loss", "flows"} and same_place and not now.one_of and bool(before.flows or now.flows)


def left_for(before: Finding, now: Finding) -> int:
    """Return the number of rounds for which `before` may leave `now`."""
    return COUNTED if before.kind == now.kind == "loss" else 1


def leaves_paths(finding: Finding) -> bool:
    """Return whether the finding explains failing paths for sure, so that some may be left when it heals."""
    return finding.kind in OF_PATHS and is_sure(finding)


def _is_within(small: Finding, whole: Finding) -> bool:
    """Return whether `small` has fewer paths than `whole`, and all of them touch its place."""
    nodes = set(whole.scope.nodes)
    return _smaller(small, whole) and all(not nodes or _touches(each, nodes) for each in small.failing)


def _touches(path: Seen, nodes: Collection[str]) -> bool:
    """Return whether `path` begins or ends on one of `nodes`, as that to a Service may do: an echo can stand there."""
    # The second DNS pod on a node is `node-1/2`.
    return path.source in nodes or path.target.partition("/")[0] in nodes or path.plane.endswith("service")


def _smaller(now: Finding, before: Finding) -> bool:
    """Return whether fewer paths fail, or as many with fewer probes."""
    left, whole = (sum(count.failing for count in each.counts) for each in (now, before))
    return left < whole + before.follows or (left == whole and bool(now.probes) and not before.probes)
