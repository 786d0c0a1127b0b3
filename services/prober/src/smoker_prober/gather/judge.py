"""What the states of all probers say together, and what is missing from a whole mesh."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.finding import Finding
from smoker_diagnosis.state import PEER, SERVICE, PathState, State
from smoker_prober.target import HOST, POD

TO_NODES = (HOST, f"{POD}-{HOST}")  # planes that end at a prober on a node's network
ECHOED = (PEER, SERVICE)  # roles of the paths that a whole mesh answers; other targets are the user's own


@dataclass(frozen=True)
class Gathered:
    """The states of the probers, and what is missing, each a sentence without its end.

    `tolerated` are kinds of findings that do not count.
    """

    states: Sequence[State]
    missing: Sequence[str]
    tolerated: Collection[str] = ()

    @cached_property
    def findings(self) -> list[Finding]:
        """What is at fault."""
        return diagnose(self.states, silent={})  # a prober that does not answer is in `missing`

    @cached_property
    def paths(self) -> list[tuple[State, PathState]]:
        """Each path to a peer or to the echo services, with the state that has it."""
        return [(state, path) for state in self.states for path in state.paths if path.role in ECHOED]

    @cached_property
    def failing(self) -> list[tuple[State, PathState]]:
        """Each path whose last probe failed."""
        return [(state, path) for state, path in self.paths if path.last not in ("", "success")]

    @cached_property
    def waiting(self) -> list[tuple[State, PathState]]:
        """Each path without a result."""
        return [(state, path) for state, path in self.paths if not path.last]

    @property
    def ok(self) -> bool:
        """Whether nothing fails, nothing is missing, and no finding counts."""
        # Other targets are the user's own: they are shown, and no part of the mesh.
        counts = [each for each in self.findings if each.kind not in {*self.tolerated, "target"}]
        return not (self.missing or self.failing or self.waiting or counts)


def missing_of(states: Sequence[State]) -> Iterator[str]:
    """Yield what is missing from a whole mesh, each a sentence without its end."""
    probed = {(state.node, state.network): _probed_by(state) for state in states}
    silent = Counter(each for peers in probed.values() for each in peers if each not in probed)
    for (node, network), count in sorted(silent.items()):
        others = f"{count} other prober{'s' if count > 1 else ''} probe{'s' if count == 1 else ''} it"
        yield f"the prober on {node} ({network}) does not answer here, and {others}"
    number = len(states) - 1
    for state in states:
        name = f"the prober on {state.node} ({state.network})"
        if not state.api:
            yield f"{name} has no mesh"
        elif state.peers < number:
            yield f"{name} knows {state.peers} of {number} other probers"
        elif number + len(silent) < state.peers:
            yield f"{name} knows {state.peers} other probers, but {number} of them answer here"


def _probed_by(state: State) -> set[tuple[str, str]]:
    """Return node and network of each prober that this one probes."""
    return {(path.target, HOST if path.plane in TO_NODES else POD) for path in state.paths if path.role == PEER}
