"""The command `smoker-hub`."""

import gc
import sys

from smoker_common.leave import leave_on_signals

leave_on_signals(serves=not sys.argv[1:])  # before the imports, which take longest

from gevent import monkey

monkey.patch_all(subprocess=False)

from smoker_common.output import capture_output
from smoker_common.service import main
from smoker_hub.assembly import build
from smoker_hub.settings import Settings

PROGRAM = "smoker-hub"
#: Garbage collections of younger objects between two of all objects. One of all visits every path: with 5,000 nodes it
#: takes 0.3 s, and by default comes every few looks. Almost everything that the hub drops is freed without it.
SELDOM = 500


def collect_seldom() -> None:
    """Have Python collect the garbage of all objects seldom."""
    gc.set_threshold(*gc.get_threshold()[:2], SELDOM)


def command() -> int:
    """Run the hub."""
    capture_output(PROGRAM)
    collect_seldom()
    return main(
        PROGRAM, "Reads the results of all probers and names the layer, node or link at fault.", Settings, build
    )


if __name__ == "__main__":
    sys.exit(command())
