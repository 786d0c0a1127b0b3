"""The routes of the API: what each takes and what it returns. /openapi.json is made from this table."""

from __future__ import annotations

from dataclasses import replace

from smoker_hub.web import (
    check,
    export,
    junit,
    matrix,
    past,
    past_views,
    paths,
    plain,
    results,
    series,
    stream,
    then,
    views,
)
from smoker_hub.web.router import Parameter, Route

FINDING = Parameter("id", "the id of a finding", pattern="[0-9a-f]{1,64}")
NODE = Parameter("name", "the name of a node")
BETWEEN = ("pod", "host", "pod-host", "host-pod")
BETWEEN_NODES = Parameter("plane", "only paths of this plane", values=BETWEEN)
PLANE = Parameter(
    "plane", "only paths of this plane", values=(*BETWEEN, "service", "host-service", "other", "host-other")
)
FAMILY = Parameter("family", "only paths of this address family", values=("ipv4", "ipv6"))
PROBE = Parameter("probe", "only paths of this probe", pattern="[a-z0-9_-]{1,32}")
FROM = Parameter("from", "only paths from this node")
TO = Parameter("to", "only paths to this target: a node, or the name of another target")
BY = Parameter("by", "what rows and columns are", values=("node", "zone"), default="node")
CELLS = Parameter(
    "limit",
    "most cells in the answer; the rows with the worst cells are kept",
    kind="integer",
    low=1,
    high=matrix.MOST,
    default=matrix.USUAL,
)
LAST = Parameter("Last-Event-ID", "the id of the last event that came; what followed it is sent, if it is still kept")
LATEST = 100_000_000_000  # seconds since the epoch
AT = Parameter("at", "the moment that is shown, in seconds since the epoch; without it now", kind="number", high=LATEST)
SINCE = Parameter("since", "from this moment on; default: a day before the end", kind="number", high=LATEST)
UNTIL = Parameter("until", "up to this moment; default: now", kind="number", high=LATEST)
CHANGES = Parameter("limit", "most entries in the answer", kind="integer", low=1, high=past.MOST, default=past.USUAL)
SUBJECT = Parameter("subject", "only events of this finding (its id), node, or prober, as `node (network)`")
PATH = Parameter("id", "the id of a path", pattern="[0-9a-f]{12}")
NAME = Parameter("name", "the node or zone", required=True)
SERIES_OF = replace(PATH, name="path", required=True)
METRIC = Parameter("metric", "what is shown", values=series.METRICS, default="rtt")
SINCE_AN_HOUR = replace(SINCE, help="from this moment on; default: an hour before the end")
POINTS = Parameter("points", "most points in the answer", kind="integer", low=1, high=series.MOST, default=series.USUAL)
FAILED = Parameter("failed", "only failed results; the hub keeps no others", values=("true",), default="true")
RESULTS = Parameter(
    "limit", "most results in the answer", kind="integer", low=1, high=results.MOST, default=results.USUAL
)
PATHS = Parameter("limit", "most paths in the answer", kind="integer", low=1, high=paths.MOST, default=paths.USUAL)

ROUTES: tuple[Route, ...] = (
    Route(
        "/api/v1/summary",
        "the answer in one sentence, with counts and its age",
        views.Summary,
        then.summary,
        (AT,),
        text=plain.summary,
    ),
    Route(
        "/api/v1/check",
        "the verdict on the whole mesh, for `helm test` and other gates: what is at fault, missing or failing",
        views.Check,
        check.answer,
        text=plain.check,
    ),
    Route(
        "/api/v1/findings",
        "what is open, and the last 200 findings that closed",
        views.Findings,
        then.findings,
        (AT,),
        text=plain.findings,
        junit=lambda sources, values, found: junit.findings(then.summary(sources, values), found),
    ),
    Route(
        "/api/v1/findings/{id}",
        "one finding with its evidence and the next steps",
        views.View,
        then.finding,
        parts=(FINDING,),
        text=plain.finding,
    ),
    Route(
        "/api/v1/nodes",
        "every node with its probers",
        list[views.Node],
        then.nodes,
        (AT,),
        text=plain.nodes,
        tagged=True,
    ),
    Route(
        "/api/v1/nodes/{name}",
        "one node: its probers, the open findings that name it, and its failing paths",
        views.NodeDetail,
        paths.node,
        (AT,),
        parts=(NODE,),
    ),
    Route(
        "/api/v1/matrix",
        "who reaches whom, between nodes or zones, in columns",
        views.Matrix,
        matrix.answer,
        (BY, BETWEEN_NODES, FAMILY, PROBE, FROM, TO, AT, CELLS),
        text=plain.matrix,
        tagged=True,
    ),
    Route(
        "/api/v1/paths",
        "single paths, the worst first: from a node, to a target, or all",
        views.Paths,
        paths.answer,
        (FROM, TO, PLANE, FAMILY, PROBE, AT, PATHS),
        text=plain.paths,
    ),
    Route(
        "/api/v1/paths/{id}/history",
        "the states of a path between two moments",
        past_views.PathHistory,
        past.path,
        (SINCE, UNTIL, CHANGES),
        parts=(PATH,),
    ),
    Route(
        "/api/v1/events",
        "what happened between two moments: findings, nodes, probers, the hub itself",
        past_views.Events,
        past.events,
        (SINCE, UNTIL, SUBJECT, CHANGES),
        text=plain.events,
    ),
    Route(
        "/api/v1/rollups",
        "the paths from a node or zone, minute by minute",
        past_views.Rollups,
        past.rollups,
        (BY, NAME, SINCE, UNTIL),
    ),
    Route(
        "/api/v1/series",
        "round trips, loss or failures of a path over time",
        past_views.Series,
        series.answer,
        (SERIES_OF, METRIC, SINCE_AN_HOUR, UNTIL, POINTS),
        refusals={"502": "Prometheus or the prober does not answer"},
    ),
    Route(
        "/api/v1/results",
        "the last failures of all probers, the newest first",
        views.Results,
        results.answer,
        (FAILED, FROM, TO, RESULTS),
        text=plain.results,
    ),
    Route("/api/v1/export", "everything for a bug report in one file, without secrets", views.Export, export.answer),
    Route(
        "/api/v1/stream",
        "server-sent events: snapshot (the first), summary (each look), finding, matrix",
        views.StreamEvent,
        stream.answer,
        headers=(LAST,),
        kind=stream.KIND,
        refusals={"503": "too many clients read the stream, or the hub stops"},
    ),
)
