"""The messages for Slack: blocks within its limits, and no markup from names."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from smoker_hub.notify.options import receivers
from smoker_hub.notify.receiver import Notice
from smoker_hub.notify.slack import LONGEST_HEADER, LONGEST_TEXT, Slack

from .receivers import PAGE, become, looking, notice


def message(of: Notice) -> dict[str, Any]:
    (options,) = receivers('[{"type": "slack", "url": "https://hooks.example/"}]')
    found: dict[str, Any] = json.loads(Slack(options).body([of], 0.0))
    return found


def texts(said: dict[str, Any]) -> list[str]:
    """Return the texts of the blocks."""
    return [one["text"] for block in said["blocks"] for one in block.get("elements", [block.get("text")])]


def test_a_message_has_the_answer_first() -> None:
    """The headline comes first, then evidence, next steps, and id, cluster and page. A close is one line."""
    with looking("node-2") as (hub, found):
        said = message(notice(hub, page=PAGE))
        head, *rest = texts(said)
        assert head.startswith("FAULT node-2: ")
        assert said["text"].startswith("FAULT node-2: ")
        assert said["blocks"][0]["type"] == "header"
        assert any("node-2 fail (no answer)" in text for text in rest)
        assert any(text.startswith("*Next*\n`") for text in rest)
        assert rest[-1].startswith(f"finding {hub.incidents.open[0].id}, cluster blue, <https://smoker.example/")
        become(found)
        for _ in range(3):
            hub.look()
        closed = message(notice(hub, "close"))
        assert texts(closed)[0].startswith("CLOSED node-2: ")
        assert len(closed["blocks"]) == 2


def test_an_update_says_so_first() -> None:
    """An update begins with a word that distinguishes it from a new finding and has the present severity.

    The rest is the same.
    """
    with looking("node-2") as (hub, _):
        opened = message(notice(hub))
        worse = message(notice(hub)._replace(event="escalate"))
    assert worse["text"] == f"ESCALATED {opened['text']}"
    assert worse["blocks"][1:] == opened["blocks"][1:]


def test_names_are_text_and_lengths_are_bounded() -> None:
    """A mention, markup or a line end in a name stays text, and long texts are cut."""
    with looking("node-2") as (hub, _):
        plain = notice(hub)
    evil = "<!channel> & <http://evil|x>\n`" + "n" * 5000
    view = msgspec.structs.replace(plain.view, headline=f"FAULT {evil}", evidence=(evil, evil), next=(evil,))
    said = message(Notice("open", view, ""))
    for text in texts(said)[1:]:
        assert "<!" not in text
        assert "<http" not in text
        assert len(text) <= LONGEST_TEXT
    assert len(texts(said)[0]) == LONGEST_HEADER
    assert "\n" not in texts(said)[0]
    assert said["blocks"][0]["text"]["type"] == "plain_text"
    assert "&lt;!channel&gt; &amp; " in said["text"]
