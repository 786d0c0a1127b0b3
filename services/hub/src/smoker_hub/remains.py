"""What an open finding leaves while its fault heals: some paths work again, others have not been probed since.

For up to a round the paths that have not been probed again look like a smaller fault of the same place. They are no
news as long as each of them has failed without a break since before the finding was last seen.
"""

from __future__ import annotations

from collections.abc import Collection

from smoker_diagnosis.finding import Finding, Seen, is_sure

OF_SERVICES = ("service", "dns")
LEAVES = ("fault", "mtu", *OF_SERVICES)  # kinds that leave something: their evidence is failing paths of one place
LEFT = (*LEAVES, "unknown")


def remains_of(before: Finding, ago: float, now: Finding) -> bool:
    """Return whether `now` has only paths that `before`, last seen `ago` seconds ago, leaves while it heals.

    `now` is smaller than `before`, its paths touch the place of `before`, and each of them began to fail before
    `before` was last seen. A path that has begun to fail since then belongs to a fault of its own.
    """
    if not leaves_paths(before) or now.kind not in LEFT or not now.failing:
        return False
    if before.kind in OF_SERVICES and now.kind in ("fault", "mtu"):  # the network explains more than a Service
        return False
    nodes = set(before.scope.nodes)
    return _smaller(now, before) and all(
        each.since >= ago and (not nodes or _touches(each, nodes)) for each in now.failing
    )


def leaves_paths(finding: Finding) -> bool:
    """Return whether the finding explains failing paths for sure, so that some may be left when it heals."""
    return finding.kind in LEAVES and is_sure(finding)


def _touches(path: Seen, nodes: Collection[str]) -> bool:
    """Return whether `path` begins or ends on one of `nodes`, as that to a Service may do: an echo can stand there."""
    # The second DNS pod on a node is `node-1/2`.
    return path.source in nodes or path.target.partition("/")[0] in nodes or path.plane.endswith("service")


def _smaller(now: Finding, before: Finding) -> bool:
    """Return whether fewer paths fail, or as many with fewer probes."""
    left, whole = (sum(count.failing for count in each.counts) for each in (now, before))
    return left < whole + before.follows or (left == whole and bool(now.probes) and not before.probes)
