"""The data of a path's charts: from Prometheus if its URL is set, otherwise from the prober.

A client's text never reaches Prometheus: clients choose a path and one of three metrics, and the hub makes the query.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import msgspec

from smoker_common.fetch import FetchError, fetch
from smoker_hub.history.rows import PathOf
from smoker_hub.post import PostError, send
from smoker_hub.web import past
from smoker_hub.web.past_views import Series
from smoker_hub.web.router import Problem, Values
from smoker_hub.web.sources import Sources

SAMPLES = "/api/v1/samples"
SECONDS = 5.0  # for Prometheus, and for a prober
LARGEST = 4 * 1024 * 1024  # bytes of an answer
USUAL, MOST = 240, 2_000  # points of one answer
FINEST = 1.0  # seconds from one point to the next
WINDOW = 120.0  # least seconds that a point covers: some rounds and scrapes
HOUR = 3_600.0  # seconds that an answer covers without `since`
METRICS = ("rtt", "loss", "failures")

#: By metric, the query. `{labels}` are the path's, `{window}` is how far a point looks back.
QUERIES = {
    "rtt": "avg(avg_over_time(smoker_probe_last_rtt_seconds{{{labels}}}[{window}]))",
    "loss": "avg(avg_over_time(smoker_probe_loss_ratio{{{labels}}}[{window}]))",
    "failures": (
        '(sum(increase(smoker_probe_total{{{labels},outcome!~"success|local_error"}}[{window}])) or vector(0))'
        ' / sum(increase(smoker_probe_total{{{labels},outcome!="local_error"}}[{window}]))'
    ),
}


class _Matrix(msgspec.Struct):
    values: list[tuple[float, str]]


class _Data(msgspec.Struct):
    result: list[_Matrix]


class _Answer(msgspec.Struct):
    """An answer of Prometheus to `query_range`."""

    data: _Data


class _Sample(msgspec.Struct, array_like=True):
    """A result that a prober keeps."""

    age: float
    outcome: str
    rtt: float | None
    sent: int
    lost: int


class _Samples(msgspec.Struct):
    samples: list[_Sample]


def answer(sources: Sources, values: Values) -> Series:
    """Return the points of a metric of a path. Raises `Problem`."""
    path = past.find(sources, values["path"])
    until = sources.hub.clock.wall_time() if values["until"] is None else values["until"]
    since = max(until - HOUR, 0.0) if values["since"] is None else values["since"]
    if since > until:
        raise Problem(HTTPStatus.BAD_REQUEST, "the parameter since is after until")
    step = max((until - since) / values["points"], FINEST)
    prometheus = bool(sources.prometheus)
    fetched = _from_prometheus if prometheus else _from_prober
    points = fetched(sources, path, values["metric"], (since, until, step))
    return Series(
        source="prometheus" if prometheus else "prober",
        path=values["path"],
        metric=values["metric"],
        since=round(since, 3),
        until=round(until, 3),
        step=round(step, 3),
        at=[at for at, _ in points],
        value=[value for _, value in points],
    )


def query(path: PathOf, metric: str, window: float) -> str:
    """Return the PromQL of a metric of a path."""
    labels = {"node": path.node, "probe": path.path.probe, "target": path.path.target}
    labels["plane"] = "" if path.path.plane == "service" else path.path.plane  # no label says the same as an empty one
    labels["family"] = path.path.family
    text = ",".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items())
    return QUERIES[metric].format(labels=text, window=f"{math.ceil(window)}s")


def _from_prometheus(
    sources: Sources, path: PathOf, metric: str, times: tuple[float, float, float]
) -> list[tuple[float, float]]:
    since, until, step = times
    asked = {"query": query(path, metric, max(step, WINDOW)), "start": since, "end": until, "step": step}
    try:
        url = (
            f"{sources.prometheus.rstrip('/')}/api/v1/query_range?{urlencode({**asked, 'timeout': f'{SECONDS:.0f}s'})}"
        )
        got = send(url, seconds=SECONDS, limit=LARGEST)
    except PostError as error:
        raise Problem(HTTPStatus.BAD_GATEWAY, f"Prometheus does not answer: {error}") from None
    if got.status != HTTPStatus.OK:
        raise Problem(HTTPStatus.BAD_GATEWAY, f"Prometheus answers with status {got.status}")
    found = _decoded(got.body, _Answer, "Prometheus sends no result of a query").data.result
    points = [(at, float(text)) for at, text in (found[0].values if found else ())]
    return [(at, value) for at, value in points if math.isfinite(value)]


def _from_prober(
    sources: Sources, path: PathOf, metric: str, times: tuple[float, float, float]
) -> list[tuple[float, float]]:
    since, until, _ = times
    wanted = (path.node, path.network)
    address = next((each for each in sources.addresses() if (each.node, each.network) == wanted), None)
    if address is None:
        raise Problem(HTTPStatus.NOT_FOUND, "the prober of that path is not known any more")
    name = {"probe": path.path.probe, "target": path.path.target, "plane": path.path.plane}
    name["family"] = path.path.family
    try:
        body = fetch(address.host, address.port, f"{SAMPLES}?{urlencode(name)}", seconds=SECONDS, limit=LARGEST)
    except FetchError as error:
        raise Problem(HTTPStatus.BAD_GATEWAY, f"the prober {error.why}") from None
    now, value = sources.hub.clock.wall_time(), VALUES[metric]
    found = _decoded(body, _Samples, "the prober sends no samples").samples
    points = [(round(now - each.age, 3), point) for each in found if (point := value(each)) is not None]
    return [(at, point) for at, point in points if since <= at <= until][-MOST:]


def _decoded(body: bytes, of: type[Any], why: str) -> Any:
    try:
        return msgspec.json.decode(body, type=of)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ValueError):
        raise Problem(HTTPStatus.BAD_GATEWAY, why) from None


def _failed(sample: _Sample) -> float | None:
    return None if sample.outcome == "local_error" else float(sample.outcome != "success")


VALUES: dict[str, Callable[[_Sample], float | None]] = {
    "rtt": lambda sample: sample.rtt,
    "loss": lambda sample: sample.lost / sample.sent if sample.sent else None,
    "failures": _failed,
}
