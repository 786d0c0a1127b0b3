"""Run a Prometheus of Debian's package on loopback for a test, and ask its HTTP API."""

from __future__ import annotations

import contextlib
import json
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import DIRECT, free_port
from tests.promtool import installed, running


def ask(url: str, path: str, **parameters: str | float) -> Any:
    """Return the data of an answer of the API. Raises OSError without one (HTTPError is one)."""
    with DIRECT.open(f"{url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as answer:
        return json.load(answer)["data"]


@contextlib.contextmanager
def serving(
    folder: Path, config: Mapping[str, Any], rules: str, *, program: str = "", flags: Sequence[str] = ()
) -> Iterator[str]:
    """Yield the URL of a Prometheus with this configuration and these rules. Only its files are left afterwards.

    `program`: its path, in place of that of Debian's package. `flags`: further ones.
    """
    (folder / "rules.yaml").write_text(rules)
    (folder / "prometheus.yaml").write_text(yaml.safe_dump({**config, "rule_files": ["rules.yaml"]}))
    address = f"127.0.0.1:{free_port()}"
    command = [
        program or installed("prometheus"),
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
        *flags,
    ]
    with running(command, folder / "log", lambda: ask(f"http://{address}", "query", query="vector(1)")):
        yield f"http://{address}"
