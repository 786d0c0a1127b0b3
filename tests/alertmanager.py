"""An Alertmanager of a test's own, on loopback, of Debian's package: begun, asked over its HTTP API, ended."""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.conftest import DIRECT, PATIENCE, eventually, free_port
from tests.promtool import installed

CONFIG = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


def ask(url: str, path: str, **parameters: str) -> Any:
    """Return what the API has at a path. Raises OSError where it does not answer (HTTPError is one)."""
    with DIRECT.open(f"{url}/api/v2/{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as answer:
        return json.load(answer)


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Yield the URL of an Alertmanager that sends to nobody. Skip without the program; in CI fail."""
    (folder / "alertmanager.yaml").write_text(CONFIG)
    address = f"127.0.0.1:{free_port()}"
    command = [
        installed("prometheus-alertmanager", "prometheus-alertmanager"),
        f"--config.file={folder / 'alertmanager.yaml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
    with (folder / "alertmanager.log").open("wb") as log:
        popen = subprocess.Popen(command, stdout=log, stderr=log)

    def answers() -> bool:
        assert popen.poll() is None, (folder / "alertmanager.log").read_text()
        with contextlib.suppress(OSError):
            return bool(ask(f"http://{address}", "status"))
        return False

    try:
        eventually("Alertmanager answers", answers)
        yield f"http://{address}"
    finally:
        popen.kill()  # what it has stored is thrown away
        popen.wait(PATIENCE)
