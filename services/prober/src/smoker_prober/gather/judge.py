"""What the states of all probers say together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from smoker_diagnosis.by_loss import ByLoss
from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.finding import Finding
from smoker_diagnosis.state import PathState, State
from smoker_diagnosis.whole import MESH, counts


@dataclass(frozen=True)
class Gathered:
    """The states of the probers, and what is missing, each a sentence without its end.

    `tolerated` are kinds of findings that do not count. Nor do failing paths that a tolerated loss explains.
    """

    states: Sequence[State]
    missing: Sequence[str]
    tolerated: Collection[str] = ()

    @cached_property
    def findings(self) -> list[Finding]:
        """What is at fault."""
        return diagnose(self.states, silent={})  # a prober that does not answer is in `missing`

    @property
    def counted(self) -> list[Finding]:
        """Those that make the mesh bad, if they are not tolerated."""
        return [each for each in self.findings if counts(each)]

    @property
    def intolerable(self) -> list[Finding]:
        """Those of them that are not tolerated."""
        return [each for each in self.counted if each.kind not in self.tolerated]

    @cached_property
    def paths(self) -> list[tuple[State, PathState]]:
        """Each path to a peer or to the echo services, with the state that has it."""
        return [(state, path) for state in self.states for path in state.paths if path.role in MESH]

    @cached_property
    def failing(self) -> list[tuple[State, PathState]]:
        """Each path whose last probe failed."""
        return [(state, path) for state, path in self.paths if path.last not in ("", "success")]

    @cached_property
    def by_loss(self) -> int:
        """How many of the failing paths packet loss explains."""
        losses = ByLoss(self.findings, self.states)
        return sum(losses.explains(*each) for each in self.failing)

    @cached_property
    def waiting(self) -> list[tuple[State, PathState]]:
        """Each path without a result."""
        return [(state, path) for state, path in self.paths if not path.last]

    @property
    def ok(self) -> bool:
        """Whether nothing is missing, no finding counts, and each failing path is explained by a tolerated one."""
        failing = len(self.failing) - (self.by_loss if "loss" in self.tolerated else 0)
        return not (self.missing or failing or self.waiting or self.intolerable)
