"""Run an Alertmanager of Debian's package for a test, and ask its HTTP API."""

from __future__ import annotations

import contextlib
import json
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.conftest import DIRECT, free_port
from tests.promtool import installed, running

CONFIG = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


def ask(url: str, path: str, **parameters: str) -> Any:
    """Return what the API answers at a path. Raises OSError if it does not answer (HTTPError is one)."""
    with DIRECT.open(f"{url}/api/v2/{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as answer:
        return json.load(answer)


@contextlib.contextmanager
def serving(folder: Path, host: str = "127.0.0.1", inside: Sequence[str] = ()) -> Iterator[str]:
    """Yield the URL of an Alertmanager without receivers. Without the program skip the test; in CI fail.

    `inside` is what to put before its command, such as a program that runs it in another network with address `host`.
    """
    (folder / "alertmanager.yaml").write_text(CONFIG)
    address = f"{host}:{free_port()}"
    command = [
        *inside,
        installed("prometheus-alertmanager", "prometheus-alertmanager"),
        f"--config.file={folder / 'alertmanager.yaml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
    with running(command, folder / "alertmanager.log", lambda: ask(f"http://{address}", "status")):
        yield f"http://{address}"
