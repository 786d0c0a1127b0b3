"""What follows a probe. After a success: a train, a large packet. After a failure: the probe again (confirm.py).

What follows a success is named by its options, which a target carries. A new one is a file here and a line in `AFTER`.
"""

from collections.abc import Callable, Collection
from typing import Any

from smoker_prober.probes.followups import path_mtu, train
from smoker_prober.result import Result

#: Takes a result, the seconds for an answer and the source ports to avoid. Returns the result with what was found.
Followup = Callable[[Result, float, Collection[int]], Result]

#: By the type of the options, what is made of them for each target: it lives as long as the target is probed.
AFTER: dict[type, Callable[[Any], Followup]] = {train.Options: train.Followup, path_mtu.Options: path_mtu.Followup}
