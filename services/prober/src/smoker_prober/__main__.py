"""The command `smoker-prober`."""

from smoker_common.stand_in import stand_in

stand_in("asyncio", "http.server", "urllib.request", "wsgiref.simple_server")  # before anything imports them

from gevent import monkey

monkey.patch_all(subprocess=False)

import sys

from smoker_prober.cli import command

if __name__ == "__main__":
    sys.exit(command())
