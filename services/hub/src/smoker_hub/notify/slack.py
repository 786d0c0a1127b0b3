"""The receiver `slack`: a message of text blocks, for an incoming webhook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from smoker_common.log import escaped
from smoker_diagnosis.text import duration
from smoker_hub.notify.receiver import Notice, Options

LONGEST_HEADER, LONGEST_TEXT = 150, 3000  # characters that Slack takes


class Slack:
    """Sends each change as one message. All text is escaped: a name from the cluster is never markup or a mention."""

    repeat, most = 0.0, 1

    def __init__(self, options: Options) -> None:
        """Take only the options of every receiver."""

    def url(self, base: str) -> str:
        return base

    def body(self, notices: Sequence[Notice], now: float) -> bytes:  # noqa: ARG002  what happened has dates of its own
        (notice,) = notices
        view = notice.view
        if notice.event != "close":
            head = view.headline if notice.event == "open" else f"ESCALATED {view.headline}"
            lines = [f"• {_text(each)}" for each in view.evidence]
            steps = [f"`{_text(each).replace('`', chr(39))}`" for each in view.next]
        else:
            lasted = duration((view.closed or view.last_seen) - view.first_seen)
            head, lines, steps = f"CLOSED {view.place}: {view.what}, after {lasted}", [], []
        blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(head)}]
        if len(head) > LONGEST_HEADER:
            blocks.append(_section(_text(head)))
        if lines:
            blocks.append(_section("\n".join(lines)))
        if steps:
            blocks.append(_section("\n".join(["*Next*", *steps])))
        about = [f"finding {view.id}", *([f"cluster {_text(view.cluster)}"] if view.cluster else [])]
        about += [f"<{_text(notice.page)}|open its page>"] if notice.page else []
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": _cut(", ".join(about))}]})
        return msgspec.json.encode({"text": _cut(_text(head)), "blocks": blocks})

    def headers(self, body: bytes, notices: Sequence[Notice]) -> Mapping[str, str]:  # noqa: ARG002
        return {}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text)}}


def _plain(text: str) -> dict[str, Any]:
    shown = escaped(text)
    shown = shown if len(shown) <= LONGEST_HEADER else shown[: LONGEST_HEADER - 1] + "…"
    return {"type": "plain_text", "text": shown, "emoji": False}


def _text(text: str) -> str:
    """Return the text with the three escapes that Slack demands, so that it contains no markup."""
    return escaped(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
