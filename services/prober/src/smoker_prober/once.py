"""The command `once`: what the hub or all probers say, and one round of its own.

It imports the diagnosis, so `smoker_prober.cli` imports it only for this command.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from functools import partial

from smoker_common import service
from smoker_prober import report
from smoker_prober import round as rounds
from smoker_prober.arguments import ALL_GOOD, FAILED, MISTAKE, PROGRAM, USUAL
from smoker_prober.config.plan import Dns
from smoker_prober.gather import others
from smoker_prober.gather.others import LOSS
from smoker_prober.own_round import asked_again, has_failed, one_round, settle
from smoker_prober.prober import NEW
from smoker_prober.settings import Settings

PATIENCE = 240.0  # seconds of waiting for a mesh that is not good: Helm ends a test after 300
CLOSES = 30.0  # seconds in which the hub closes a finding that has healed: three looks, and some more
NAMES = 10.0  # seconds in which the hub may name what the round here has met: two looks


def once(settings: Settings, chosen: argparse.Namespace) -> int:
    """Ask all probers or the hub, which answer at once, then do one round."""
    if chosen.no_targets:
        settings = settings._replace(plan=replace(settings.plan, targets={}, api_server=False, dns=Dns()))
    out = sys.stderr if chosen.json else sys.stdout
    asks = bool(chosen.mesh or chosen.hub)
    answered = others.Answer(ok=True)
    ask = partial(others.ask, chosen.mesh, chosen.hub, tolerated=chosen.tolerate, credentials=chosen.hub_auth, out=out)
    if asks and chosen.wait is None:
        answered = ask()
        if answered.mistakes:
            service.report_problems(PROGRAM, answered.mistakes, answered.what)
            return MISTAKE
    if chosen.settle:
        settle(settings, chosen.settle)
    found = list(one_round(settings))
    if asks and chosen.wait is not None:
        # A failure counts only if it lasts. So each prober gets the time for one more round, and for the rounds in
        # which a new prober does not count the failures of its peers.
        usual = min(chosen.settle + NEW * settings.plan.interval + rounds.longest(settings.plan), PATIENCE)
        if chosen.hub:  # this test has failed already, or the hub needs some looks to close what has healed
            usual = min(usual, NAMES) if has_failed(found, tolerant=LOSS in chosen.tolerate) else usual + CLOSES
        patience = usual if chosen.wait == USUAL else chosen.wait
        who = "the hub" if chosen.hub else "all probers"
        print(f"asking {who}, for {patience:.0f} s at most until all is good", file=sys.stderr, flush=True)
        answered = ask(patience)
        if answered.mistakes:
            service.report_problems(PROGRAM, answered.mistakes, answered.what)
    found = asked_again(settings, found, lossy=answered.ok and answered.lossy)
    if chosen.json:
        print(json.dumps({**report.as_object(found, settings.process.node_name), **answered.fields}, indent=2))
    else:
        print(report.table(found, settings.process.node_name, settings.plan.latency))
    if answered.mistakes:
        return MISTAKE
    return ALL_GOOD if answered.ok and all(result.outcome.ok for result in found) else FAILED
