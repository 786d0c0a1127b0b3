"""The command `smoker-prober`."""

from gevent import monkey

monkey.patch_all()

import sys

from smoker_prober.cli import command

if __name__ == "__main__":
    sys.exit(command())
