"""Read findings. This is the only file that knows their form: it calls the engine and reads its result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.evidence import Prober
from smoker_diagnosis.gather import Evidence
from smoker_diagnosis.news import News, news_of
from smoker_diagnosis.state import State

#: Kinds of findings that accuse no place of the network: paths without a common cause, silent probers, other targets.
NO_NAME = {"unknown", "silent", "target", "unsteady", "starved"}
Place = tuple[str, tuple[str, ...], tuple[str, ...]]  # kind of scope, nodes, zones


@dataclass(frozen=True)
class Named:
    """What one finding names."""

    what: str  # the finding's own kind: "fault", "loss", "mtu", …
    kind: str  # of its scope
    nodes: tuple[str, ...]
    zones: tuple[str, ...]
    layers: frozenset[str]  # more than one where the paths cannot tell them apart
    probes: tuple[str, ...]
    families: tuple[str, ...]
    one_of: tuple[Place, ...]
    confidence: float
    direction: str

    @property
    def names_a_place(self) -> bool:
        """Return whether a reader would look for the fault at a place."""
        return bool(self.kind) and self.what not in NO_NAME

    def __str__(self) -> str:
        where = " ".join((self.kind, *self.nodes, *self.zones))
        more = " | ".join(" ".join((kind, *nodes, *zones)) for kind, nodes, zones in self.one_of)
        layers = "/".join(sorted(self.layers))
        kept = (*self.probes, *self.families, self.direction)
        told = f"{self.what}: {where}; {layers} {' '.join(kept)}; {self.confidence:.3f}"
        return f"{told}; one of {more}" if more else told


def read(finding: Any) -> Named:
    """Return what `finding` names."""
    scope = finding.scope
    return Named(
        str(finding.kind),
        str(scope.kind),
        tuple(scope.nodes),
        tuple(scope.zones),
        frozenset(finding.layers or (finding.layer,)),
        tuple(finding.probes),
        tuple(finding.families),
        tuple((str(each.kind), tuple(each.nodes), tuple(each.zones)) for each in finding.one_of),
        float(finding.confidence),
        str(finding.direction),
    )


class Kept:
    """What the hub keeps from look to look: the engine's evidence, and the last state of each prober."""

    def __init__(self, states: Sequence[State]) -> None:
        self.evidence = Evidence()
        self.evidence.mesh(states)
        self._states = {(state.node, state.network): state for state in states}

    def news(self, states: Sequence[State]) -> dict[Prober, News]:
        """Return the news in `states`. The hub compares each state with the one before when it arrives."""
        before, self._states = self._states, {(state.node, state.network): state for state in states}
        compared = {who: news_of(before[who], state) for who, state in self._states.items() if who in before}
        return {who: news for who, news in compared.items() if news is not None}


def diagnosed(states: Sequence[State], kept: Kept) -> tuple[list[Named], float]:
    """Return the engine's findings, and the CPU seconds of the look. `kept`: by the looks before."""
    news = kept.news(states)
    begun = time.process_time()
    found = diagnose(states, evidence=kept.evidence, news=news)
    took = time.process_time() - begun
    return [read(finding) for finding in found], took
