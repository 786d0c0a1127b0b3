"""Judge a mesh as a whole: which findings count, and what is missing: probers that do not answer or know all others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from smoker_diagnosis.evidence import HOST, POD
from smoker_diagnosis.finding import Finding, is_harmless
from smoker_diagnosis.state import PEER, SERVICE, State

MESH = (PEER, SERVICE)  # roles of the paths that belong to the mesh; other targets are the user's own
_TO_NODES = (HOST, f"{POD}-{HOST}")  # planes that end at a prober on a node's network


def counts(finding: Finding) -> bool:
    """Return whether the mesh is bad because of `finding`: a fault of it, or failures without a common cause.

    Targets are no part of the mesh. What is harmless to the network is no fault.
    """
    return finding.kind != "target" and not is_harmless(finding)


def missing_of(states: Sequence[State], silent: Collection[tuple[str, str]] = ()) -> Iterator[str]:
    """Yield what is missing from a complete mesh: sentences without their full stop.

    `silent`: node and network of probers that do not answer, where the caller says so itself.
    """
    probed = {(state.node, state.network): _probed_by(state) for state in states}
    away = Counter(each for peers in probed.values() for each in peers if each not in probed and each not in silent)
    for (node, network), count in sorted(away.items()):
        others = f"{count} other prober{'s' if count > 1 else ''} probe{'s' if count == 1 else ''} it"
        yield f"the prober on {node} ({network}) does not answer here, and {others}"
    absent = len(away) + len(set(silent) - probed.keys())
    number = len(states) - 1
    for state in states:
        name = f"the prober on {state.node} ({state.network})"
        if not state.api:
            yield f"{name} has no mesh"
        elif state.peers < number:
            yield f"{name} knows {state.peers} of {number} other probers"
        elif number + absent < state.peers:
            yield f"{name} knows {state.peers} other probers, but {number} of them answer here"


def _probed_by(state: State) -> set[tuple[str, str]]:
    """Return node and network of each prober that this one probes."""
    return {(path.target, HOST if path.plane in _TO_NODES else POD) for path in state.paths if path.role == PEER}
