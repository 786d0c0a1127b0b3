"""Describe how the API server answers, in one word for programs and one sentence for people.

Only an API server that does not answer is evidence against the network or kube-proxy. A refusal shows that requests
reach it.
"""

from __future__ import annotations

import enum
import http.client
import ssl
from typing import NamedTuple

from urllib3.exceptions import HTTPError

from smoker_kube.api import Refused, RequestNotSent
from smoker_outcome.failure import cause_of, outcome_of, reason
from smoker_outcome.outcome import Outcome

UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TOO_MANY = 401, 403, 404, 429
NO_KUBERNETES = "the answer is not one of the Kubernetes API"


class Answering(enum.StrEnum):
    """How the API server answers. The words are promises: the snapshot contains them."""

    OK = "ok"
    WAITING = "waiting"  # the first request has no answer yet
    UNANSWERED = "unanswered"  # no connection, or no answer in time
    REFUSED = "refused"  # an HTTP status other than 200
    UNTRUSTED = "untrusted"  # TLS with it fails
    UNREADABLE = "unreadable"  # an answer that is not the Kubernetes API's
    UNASKED = "unasked"  # this pod cannot ask: no token, no CA, no descriptor


class Standing(NamedTuple):
    """How the API server answers, the HTTP status of a refusal, and the cause in words."""

    answering: Answering
    status: int | None = None
    cause: str = ""

    @property
    def fields(self) -> dict[str, str | int | None]:
        """Return the fields of the snapshot."""
        return {"api": self.answering.value, "api_status": self.status, "api_cause": self.cause}


OK, WAITING = Standing(Answering.OK), Standing(Answering.WAITING)

_SENTENCES = {
    Answering.OK: "the API server answers",
    Answering.WAITING: "the API server has not answered yet",
    Answering.UNANSWERED: "the API server does not answer",
    Answering.UNTRUSTED: "the API server answers, but TLS with it fails",
    Answering.UNREADABLE: "something answers at the API server's address, but not as the Kubernetes API does",
    Answering.UNASKED: "this pod cannot ask the API server",
}
_REFUSALS = {
    UNAUTHORIZED: "the API server refuses this pod's token: it has expired, or its account was deleted",
    FORBIDDEN: "the API server forbids this pod's account to list and watch {what}: its Role is missing or not bound",
    NOT_FOUND: "the API server answers, but does not serve {what}",
    TOO_MANY: "the API server is busy and asks this pod to wait",
}


def sentence(answering: str, status: int | None = None, what: str = "EndpointSlices") -> str:
    """Return the sentence without its full stop. `what` is the requested collection.

    The first two may come from a prober of another version.
    """
    if answering == Answering.REFUSED:
        if status in _REFUSALS:
            return _REFUSALS[status].format(what=what)
        ill = status is not None and status >= http.HTTPStatus.INTERNAL_SERVER_ERROR
        return f"the API server {'answers with an internal error' if ill else 'refuses to answer'}"
    known = {word.value: text for word, text in _SENTENCES.items()}
    return known.get(answering, "the API server does not return the list of peers")


def standing_of(error: Exception) -> Standing:
    """Return the standing that an `HTTPError`, `OSError`, `ValueError` or `Refused` of a request shows."""
    if isinstance(error, Refused):
        return Standing(Answering.REFUSED, error.status, str(error))
    if not isinstance(error, HTTPError | OSError):
        return Standing(Answering.UNREADABLE, cause=NO_KUBERNETES)
    cause = cause_of(error) if isinstance(error, HTTPError) else error
    if isinstance(cause, http.client.RemoteDisconnected | ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Standing(Answering.UNANSWERED, cause=reason(cause, ""))  # closed before it sent anything
    answering = {
        Outcome.TLS_ERROR: Answering.UNTRUSTED,
        Outcome.BAD_REPLY: Answering.UNREADABLE,
        Outcome.LOCAL_ERROR: Answering.UNASKED,
    }.get(outcome_of(error, ""), Answering.UNANSWERED)
    if isinstance(error, RequestNotSent):
        answering = Answering.UNASKED
    return Standing(answering, cause=reason(error, ""))
