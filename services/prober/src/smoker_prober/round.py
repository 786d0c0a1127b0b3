"""A round: the probes of one host, one after the other."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from smoker_prober.config.plan import Plan
from smoker_prober.network.deadline import LATEST
from smoker_prober.probes import prepare, run
from smoker_prober.probes.followups import AFTER, train
from smoker_prober.probes.followups.base import Followup
from smoker_prober.probes.followups.confirm import patience
from smoker_prober.result import Result
from smoker_prober.settings import Settings
from smoker_prober.target import Target


class Round:
    """Probes `targets`, each once a round. It knows what the follow-ups of earlier rounds found.

    `source` is this node's name, `timeout` the seconds for each probe of a target that has none of its own. `never` has
    source ports from which echoes answer no datagram, beside the ports on which these targets answer; ports that are
    added to it later count, too.
    """

    def __init__(
        self, targets: tuple[Target, ...], *, source: str, timeout: float, never: Collection[int] = ()
    ) -> None:
        self._source, self._timeout, self._never = source, timeout, never
        self._steps = [(target, [AFTER[type(each)](each) for each in target.followups]) for target in targets]
        self._own = {target.port for target in targets}
        for target in targets:
            prepare(target)

    @classmethod
    def of(cls, settings: Settings, targets: tuple[Target, ...], never: Collection[int] = ()) -> Round:
        """Return the round of `targets` by `settings`."""
        return cls(targets, source=settings.process.node_name, timeout=settings.plan.timeout, never=never)

    def results(self) -> Iterator[Result]:
        """Yield the results of one round, each as soon as it is known."""
        for target, followups in self._steps:
            yield self._result(target, followups)

    def doubts(self, target: Target) -> bool:
        """Return whether a follow-up of `target` wants to ask again before the next round."""
        return bool(self._doubting(target))

    def again(self, target: Target, *, catch_up: bool = False) -> Iterator[Result]:
        """Probe `target` once more, maybe with a shorter timeout. Of what follows, only what is in doubt follows.

        `catch_up`: yield the result again with what is to follow at once if a probe that failed works now.
        """
        result = self._result(target, self._doubting(target), again=True)
        yield result
        late = [each for each in self._followups(target) if each.catches_up()] if catch_up and result.outcome.ok else []
        for followup in late:
            result = followup.again(result, self._patience(target), self._avoided)
        if late:
            yield result

    def _followups(self, target: Target) -> list[Followup]:
        return [each for known, followups in self._steps if known == target for each in followups]

    def _doubting(self, target: Target) -> list[Followup]:
        return [each for each in self._followups(target) if each.doubts()]

    def _patience(self, target: Target) -> float:
        return patience(target, target.timeout or self._timeout)

    @property
    def _avoided(self) -> set[int]:
        return {*self._never, *self._own}

    def _result(self, target: Target, followups: list[Followup], *, again: bool = False) -> Result:
        never, timeout = self._avoided, self._patience(target) if again else target.timeout or self._timeout
        result = run(target, self._source, timeout, never=never)
        for followup in followups:
            if result.outcome.ok:  # nothing more is sent to a target that does not answer
                result = (followup.again if again else followup)(result, timeout, never)
            else:
                followup.missed()
        return result


def longest(plan: Plan) -> float:
    """Return the seconds that the network can take of a round of `plan`."""
    return max(_longest(plan), *(each.timeout or plan.timeout for each in plan.targets.values()), 0.0)


def _longest(plan: Plan) -> float:
    """Return the seconds that the network can take of the round of a host with echoes."""
    probes, last, udp = _echoed(plan), plan.timeout, plan.probes.udp
    if "udp" not in probes:
        return len(probes) * last
    trained = train.spread(plan.interval) + last if udp.packets else 0.0
    more = sum(last for wanted in (udp.mtu_interval, udp.flows or udp.kept_flow) if wanted)
    return len(probes) * last + trained + more


def latest(plan: Plan) -> float:
    """Return the seconds after which a round has ended even where this process lacks CPU."""
    return longest(plan) + len(_echoed(plan)) * LATEST


def _echoed(plan: Plan) -> set[str]:
    return {*plan.service.probes, *plan.mesh.probes}
