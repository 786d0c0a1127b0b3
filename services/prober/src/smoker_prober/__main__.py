"""The command `smoker-prober`."""

import signal
import sys

from smoker_common.leave import leave_on_signals

leave_on_signals(serves=sys.argv[1:2] == ["run"])  # before the imports, which take longest
if sys.argv[1:2] == ["run"]:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is a plan to read again; it must not end the prober

from gevent import monkey

monkey.patch_all(subprocess=False)

from collections.abc import Sequence

from smoker_common.output import capture_output
from smoker_prober import cli
from smoker_prober.arguments import PROGRAM


def command(arguments: Sequence[str] | None = None) -> int:
    """Run it."""
    capture_output(PROGRAM)
    return cli.command(arguments)


if __name__ == "__main__":
    sys.exit(command())
