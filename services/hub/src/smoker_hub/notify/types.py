"""The types of receivers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from smoker_hub.notify.alertmanager import Alertmanager
from smoker_hub.notify.receiver import Form, Options
from smoker_hub.notify.slack import Slack
from smoker_hub.notify.webhook import Webhook


class Type(NamedTuple):
    """The message format of a type, and its additional options."""

    form: Callable[[Options], Form]
    takes: frozenset[str] = frozenset()


NOTIFIERS: Mapping[str, Type] = {
    "webhook": Type(Webhook, frozenset({"signingKeyFile"})),
    "alertmanager": Type(Alertmanager, frozenset({"labels"})),
    "slack": Type(Slack),
}
