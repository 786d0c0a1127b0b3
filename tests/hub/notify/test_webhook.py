"""The webhook: its messages and their signature."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import msgspec

from smoker_hub.notify.delivery import Message
from tests.conftest import eventually

from .receivers import PAGE, delivery, looking, notice, receiver


def test_a_finding_is_signed_and_sent(tmp_path: Path) -> None:
    """The message is the finding as in the API, with the HMAC of the body by the key in the present file."""
    key = tmp_path / "key"
    key.write_text("old\n")
    with looking("node-2") as (hub, _), receiver() as there, delivery(there.url, signingKeyFile=str(key)) as one:
        key.write_text("hush\n")
        one.put(Message((notice(hub, page=PAGE),)))
        eventually("it was sent", lambda: one.counts["sent"] == 1)
        (request,) = there.got
        said = request.json
        (incident,) = hub.incidents.open
        assert (said["event"], said["url"]) == ("open", PAGE + incident.id)
        assert said["finding"]["headline"].startswith("FAULT node-2: ")
        assert said["finding"]["finding"]["scope"]["nodes"] == ["node-2"]
        expected = hmac.new(b"hush", request.body, hashlib.sha256).hexdigest()
        assert request.headers["x-smoker-signature"] == f"sha256={expected}"
        assert request.headers["content-type"] == "application/json"


def test_each_escalation_has_a_key_of_its_own() -> None:
    """A finding may become worse twice. Different keys keep a receiver from taking the second update for the first."""
    with looking("node-2") as (hub, _), receiver() as there, delivery(there.url) as one:
        worse = notice(hub)._replace(event="escalate")
        later = worse._replace(view=msgspec.structs.replace(worse.view, last_seen=worse.view.last_seen + 60.0))
        for each in (notice(hub), worse, later):
            one.put(Message((each,)))
        eventually("all were sent", lambda: one.counts["sent"] == 3)
        assert [request.json["event"] for request in there.got] == ["open", "escalate", "escalate"]
        assert len({request.headers["idempotency-key"] for request in there.got}) == 3


def test_attempts_of_one_change_have_one_key() -> None:
    """A receiver can distinguish a second attempt from a second change. Without a key nothing is signed."""
    with looking("node-2") as (hub, _), receiver(503, 200) as there, delivery(there.url) as one:
        one.put(Message((notice(hub),)))
        eventually("it was sent", lambda: one.counts["sent"] == 1)
        first, second = there.got
        assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
        assert first.headers["idempotency-key"].startswith(f"{hub.incidents.open[0].id}-open-")
        assert "x-smoker-signature" not in first.headers
