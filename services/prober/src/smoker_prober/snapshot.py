"""The snapshot of a prober, as whoever asks for it sees it. What is in it: sinks/memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import urllib3

from smoker_prober.target import Target

SNAPSHOT = "/api/v1/snapshot"
OK = 200


def fetch(prober: Target, timeout: float) -> Any | None:
    """What the prober with this admin port says of itself; None if it says nothing that is JSON within `timeout` s."""
    try:
        answer = urllib3.request("GET", f"http://{prober.authority}{SNAPSHOT}", timeout=timeout, retries=False)
        return answer.json() if answer.status == OK else None
    except (urllib3.exceptions.HTTPError, ValueError):
        return None


def failed(path: Mapping[str, Any]) -> bool:
    """Whether the last probe of this path failed; one without a result has not."""
    return path["last"] not in ("", "success")
