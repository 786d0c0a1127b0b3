"""The receiver `alertmanager`: alerts as Prometheus sends them (Alertmanager's API v2).

An alert that is not sent again within its `endsAt` counts as resolved there: so open findings are sent every minute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from smoker_common.log import escaped
from smoker_hub.notify.receiver import Notice, Options

REPEAT = 60.0  # seconds
LASTS = 4 * REPEAT  # until an alert that is not repeated ends
ALERT = "SmokerFault"


class Alertmanager:
    """Sends changes, and every minute all open findings, to `/api/v2/alerts` below the URL."""

    repeat, most = REPEAT, 500

    def __init__(self, options: Options) -> None:
        self._labels = options.labels

    def url(self, base: str) -> str:
        return base.rstrip("/") + "/api/v2/alerts"

    def body(self, notices: Sequence[Notice], now: float) -> bytes:
        return msgspec.json.encode([self._alert(notice, now) for notice in notices])

    def headers(self, body: bytes, notices: Sequence[Notice]) -> Mapping[str, str]:  # noqa: ARG002
        return {}

    def _alert(self, notice: Notice, now: float) -> dict[str, object]:
        view = notice.view
        finding = view.finding
        labels = {
            **self._labels,
            "alertname": ALERT,
            "finding": view.id,
            "scope": view.place,
            "layer": finding.layer,
            "kind": finding.kind,
            "severity": finding.severity,
            "cluster": view.cluster,
        }
        description = [*view.evidence, *(f"next: {step}" for step in view.next)]
        ends = now + LASTS if notice.event == "open" else view.closed or now
        return {
            "labels": {name: escaped(value) for name, value in labels.items() if value},
            "annotations": {
                "summary": escaped(view.headline),
                "description": "\n".join(map(escaped, description)),
            },
            "startsAt": _date(view.opened or view.first_seen),
            "endsAt": _date(ends),
            **({"generatorURL": notice.page} if notice.page else {}),
        }


def _date(instant: float) -> str:
    """Return seconds since the epoch as RFC 3339."""
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
