"""The receiver `webhook`: a finding as JSON, signed if there is a key."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

import msgspec

from smoker_hub.notify.receiver import Happening, Notice, Options
from smoker_hub.web.views import View

SIGNATURE = "X-Smoker-Signature"
DELIVERY = "Idempotency-Key"


class Body(msgspec.Struct, frozen=True):
    """The body of a message. `url`: the finding's page, empty without `EXTERNAL_URL`."""

    event: Happening
    finding: View
    url: str


class Webhook:
    """Sends each change as one message. `X-Smoker-Signature: sha256=` is followed by the HMAC of the body in hex."""

    repeat, most = 0.0, 1

    def __init__(self, options: Options) -> None:
        self._key = options.signing_key

    def url(self, base: str) -> str:
        return base

    def body(self, notices: Sequence[Notice], now: float) -> bytes:  # noqa: ARG002  what happened has dates of its own
        (notice,) = notices
        return msgspec.json.encode(Body(notice.event, notice.view, notice.page))

    def headers(self, body: bytes, notices: Sequence[Notice]) -> Mapping[str, str]:
        (notice,) = notices
        found = {DELIVERY: f"{notice.view.id}-{notice.event}-{_instant(notice):.0f}"}
        if self._key:
            found[SIGNATURE] = "sha256=" + hmac.new(self._key.read().encode(), body, hashlib.sha256).hexdigest()
        return found


def _instant(notice: Notice) -> float:
    """Return the date that tells this change from others of its kind: a finding can become worse several times."""
    return notice.view.last_seen if notice.event == "escalate" else notice.view.opened or 0
