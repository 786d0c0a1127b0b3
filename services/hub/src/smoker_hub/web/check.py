"""The verdict on the whole mesh, for `helm test` and other gates: what is at fault, missing or failing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from smoker_diagnosis import text
from smoker_diagnosis.by_loss import ByLoss
from smoker_diagnosis.finding import Finding
from smoker_diagnosis.state import State
from smoker_diagnosis.whole import MESH, counts, missing_of
from smoker_hub import judge
from smoker_hub.hub import Hub
from smoker_hub.web import now, paths, then
from smoker_hub.web.router import Values
from smoker_hub.web.sources import Sources
from smoker_hub.web.views import Check

LISTED = 200  # paths, and sentences about what is missing: a longer list helps no reader


def answer(sources: Sources, _values: Values) -> Check:
    """Return the verdict of the last look."""
    hub = sources.hub
    look = hub.looks  # the requests of other clients, and the next look, may run between the lines below
    moment, summary = then.last_look(sources.hub), now.summary(hub)
    of_mesh = [each for each in paths.all_of(moment.collected) if each[1].role in MESH]
    failing = [each for each in of_mesh if judge.fails(each[1])]
    waiting = [each for each in of_mesh if each[1].last in judge.NO_RESULT]
    counted = [each for each in hub.incidents.open if counts(each.finding)]
    losses = tuple(each.finding for each in counted if each.finding.kind == "loss")
    explained = sources.explained.get((look, losses))
    if explained is None:  # once a look, however many clients wait for a good verdict
        explained = _explained(losses, moment.collected.states, failing)
        sources.explained.clear()
        sources.explained[look, losses] = explained
    missing = list(islice(_missing(hub), LISTED))
    listed, left_out = paths.listed(moment, [*failing, *waiting], LISTED)
    looked = summary.state not in ("blind", "starting")
    ok = looked and not (failing or waiting or counted or missing)
    sentence = summary.sentence
    if looked and not ok and not counted:
        sentence = text.not_whole(len(failing), len(waiting), missing, len(of_mesh))
    return Check(
        ok=ok,
        at=round(hub.clock.date(hub.clock.now()), 3),
        sentence=sentence,
        findings=[now.view(hub, each) for each in counted],
        missing=missing,
        failing=listed,
        left_out=left_out,
        explained_by_loss=explained,
    )


def _explained(losses: Sequence[Finding], states: Sequence[State], failing: Sequence[paths.Found]) -> int:
    """Return how many of the paths in `failing` the packet loss of `losses` explains."""
    by_loss = ByLoss(losses, states)
    return sum(by_loss.explains(*each) for each in failing)


def _missing(hub: Hub) -> Iterator[str]:
    """Yield what is missing from a whole mesh, each a sentence without its full stop."""
    collected = hub.collected
    if not collected.asked:
        yield "no prober is known yet"
    for key in sorted(collected.silent):
        yield f"the prober on {key[0]} ({key[1]}) does not answer the hub: {collected.errors.get(key, 'no answer yet')}"
    yield from missing_of(collected.states, collected.silent.keys())
