"""What follows a probe. After a success: a train, a large packet. After a failure: the probe again (confirm.py).

What follows a success, or a failure that lasts, is named by its options, which a target carries. A new one is a file
here and a line in `AFTER` or `ON_FAILURE`.
Where packets are lost, packets from several source ports follow (flows.py). A flow to a Service is kept (kept_flow.py).
"""

from collections.abc import Callable
from typing import Any

from smoker_prober.probes.followups import path_mtu, trace, train
from smoker_prober.probes.followups.base import Flows, Followup, KeptFlow
from smoker_prober.result import Result


def _flows(options: Flows) -> Followup:
    from smoker_prober.probes.followups import flows  # noqa: PLC0415  only where the plan asks for it

    return flows.Followup(options)


def _kept_flow(options: KeptFlow) -> Followup:
    from smoker_prober.probes.followups import kept_flow  # noqa: PLC0415  only where the plan asks for it

    return kept_flow.Followup(options)


#: By the type of the options, what is made of them for each target: it lives as long as the target is probed.
AFTER: dict[type, Callable[[Any], Followup]] = {
    train.Options: train.Followup,
    path_mtu.Options: path_mtu.Followup,
    Flows: _flows,
    KeptFlow: _kept_flow,
}

#: By the type of the options: takes them, a failed result, and the source ports to avoid (`never`). It runs apart from
#: the rounds (apart.py), and returns a result of its own, or None where there is nothing to find.
ON_FAILURE: dict[type, Callable[..., Result | None]] = {trace.Options: trace.run}
