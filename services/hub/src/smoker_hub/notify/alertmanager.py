"""The receiver `alertmanager`: alerts as Prometheus sends them (Alertmanager's API v2).

An alert that is not sent again within its `endsAt` counts as resolved there: so open findings are sent every minute.
Alertmanager tells alerts apart by their labels: if those of a finding change, the alert with the old ones is ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from smoker_common.log import escaped
from smoker_hub.notify.receiver import Notice, Options
from smoker_hub.web.views import View

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
        return msgspec.json.encode([alert for notice in notices for alert in self._alerts(notice, now)])

    def headers(self, body: bytes, notices: Sequence[Notice]) -> Mapping[str, str]:  # noqa: ARG002
        return {}

    def _alerts(self, notice: Notice, now: float) -> Iterator[dict[str, object]]:
        view, before = notice.view, notice.before
        if before is not None and self._labels_of(before) != self._labels_of(view):
            yield self._alert(before, now, notice.page)
        ends = view.closed or now if notice.event == "close" else now + LASTS
        yield self._alert(view, ends, notice.page)

    def _labels_of(self, view: View) -> dict[str, str]:
        labels = {
            **self._labels,
            "alertname": ALERT,
            "finding": view.id,
            "scope": view.place,
            "layer": view.finding.layer,
            "kind": view.finding.kind,
            "severity": view.finding.severity,
            "cluster": view.cluster,
        }
        return {name: escaped(value) for name, value in labels.items() if value}

    def _alert(self, view: View, ends: float, page: str) -> dict[str, object]:
        description = [*view.evidence, *(f"next: {step}" for step in view.next)]
        return {
            "labels": self._labels_of(view),
            "annotations": {
                "summary": escaped(view.headline),
                "description": "\n".join(map(escaped, description)),
            },
            "startsAt": _date(view.opened or view.first_seen),
            "endsAt": _date(ends),
            **({"generatorURL": page} if page else {}),
        }


def _date(instant: float) -> str:
    """Return seconds since the epoch as RFC 3339."""
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
