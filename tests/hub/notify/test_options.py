"""The setting NOTIFY: its values, and all mistakes reported at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from smoker_common.kinds import InvalidValue
from smoker_common.settings import parse
from smoker_hub.notify.delivery import Delivery
from smoker_hub.notify.options import MOST, receivers
from smoker_hub.settings import Settings

URL = "https://hooks.example/x"


def test_what_a_receiver_takes() -> None:
    """By default names come from the type, numbered from the second of a type, and severity is a warning."""
    found = receivers(
        json.dumps(
            [
                {"type": "slack", "url": URL},
                {"type": "slack", "urlFile": "/etc/x", "minSeverity": "critical"},
                {"type": "alertmanager", "url": "http://am:9093", "name": "am", "labels": {"team": "net"}},
                {"type": "webhook", "url": URL, "signingKeyFile": "/k", "caFile": "/c", "authorizationFile": "/a"},
            ]
        )
    )
    assert [(each.type, each.name, each.min_severity) for each in found] == [
        ("slack", "slack", "warning"),
        ("slack", "slack-2", "critical"),
        ("alertmanager", "am", "warning"),
        ("webhook", "webhook", "warning"),
    ]
    assert (found[1].url.file, found[2].labels, found[3].signing_key.file) == ("/etc/x", {"team": "net"}, "/k")


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ({"url": URL}, "has the type '', which is none of webhook, alertmanager, slack"),
        ({"type": ["a"], "url": URL}, "has the type ['a']"),
        ({"type": "slack"}, "has no url"),
        ({"type": "slack", "url": URL, "urlFile": "/x"}, "both url and urlFile"),
        ({"type": "slack", "url": "ftp://x"}, "url that is not http:// or https://"),
        ({"type": "slack", "url": "http://user:secret@x/"}, "without a user"),
        ({"type": "slack", "url": "http://[/"}, "url that is not http://"),
        ({"type": "slack", "url": 5}, "has a url that is not a string"),
        ({"type": "slack", "url": URL, "labels": {}}, "'labels', which a receiver of the type slack does not take"),
        ({"type": "slack", "url": URL, "signingKeyFile": "/k"}, "'signingKeyFile'"),
        ({"type": "webhook", "url": URL, "minSeverity": "bad"}, "minSeverity that is none of info, warning, critical"),
        ({"type": "webhook", "url": URL, "minSeverity": []}, "minSeverity that is not a string"),
        ({"type": "webhook", "url": URL, "name": "a b"}, "has a name that is not"),
        ({"type": "alertmanager", "url": URL, "labels": {"severity": "x"}}, "the label severity, which the hub sets"),
        ({"type": "alertmanager", "url": URL, "labels": {"a-b": "x"}}, "the label 'a-b'"),
        ({"type": "alertmanager", "url": URL, "labels": {"a": 1}}, "the label 'a'"),
        ({"type": "alertmanager", "url": URL, "labels": []}, "labels that are not an object"),
    ],
)
def test_each_mistake_is_named(entry: dict[str, Any], word: str) -> None:
    """A mistake is reported with the number of its entry and what is allowed."""
    with pytest.raises(InvalidValue) as refused:
        receivers(json.dumps([{"type": "webhook", "url": URL, "name": "good"}, entry]))
    assert "entry 2 " in str(refused.value)
    assert word in str(refused.value)
    assert "secret" not in str(refused.value)


def test_all_mistakes_are_named_at_once() -> None:
    """All mistakes are in one sentence of the settings, with those of other variables."""
    said = [{"type": "mail"}, {"type": "slack"}, 5, {"type": "slack", "url": URL}]
    _, problems = parse(Settings, {"NOTIFY": json.dumps(said), "INTERVAL": "0"})
    (notify,) = (str(problem) for problem in problems if problem.variable == "NOTIFY")
    assert len(problems) == 2
    for word in ("entry 1 has the type 'mail'", "entry 2 has no url", "entry 3 is not an object"):
        assert word in notify


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{}", "it is not a list"),
        ("[", "it is not JSON"),
        (json.dumps([{"type": "slack", "url": URL}] * (MOST + 1)), f"more than {MOST} entries"),
        ("[" + " " * 100_000 + "]", "more than 100000 characters"),
        (json.dumps([{"type": "slack", "url": URL, "name": "x"}] * 2), "two entries have the name 'x'"),
    ],
)
def test_notify_that_is_not_a_list_is_refused(text: str, word: str) -> None:
    """A text that is not a list, and entries with the same name, are refused."""
    with pytest.raises(InvalidValue, match=word):
        receivers(text)


def test_files_are_checked_before_the_start(tmp_path: Path) -> None:
    """A file that is missing, empty, or without a URL or a CA is a mistake; a valid one is not."""
    url, key, nothing = tmp_path / "url", tmp_path / "key", tmp_path / "nothing"
    url.write_text("https://hooks.example/T0\n")
    key.write_text("hush\n")
    nothing.write_text("\n")

    def mistake(**more: str) -> str:
        (found,) = receivers(json.dumps([{"type": "webhook", "urlFile": str(url), **more}]))
        return Delivery(found).mistake()

    assert mistake() == mistake(signingKeyFile=str(key)) == ""
    assert "the receiver webhook: " in mistake(urlFile=str(key))
    assert "does not hold a URL" in mistake(urlFile=str(key))
    assert "no such file" in mistake(signingKeyFile=str(tmp_path / "missing"))
    assert "is empty" in mistake(authorizationFile=str(nothing))
    assert f"the CA file {key} cannot be used" in mistake(caFile=str(key))
    assert "hush" not in mistake(urlFile=str(key))
