"""The routes of the API: what each takes and what it returns. /openapi.json is made from this table."""

from __future__ import annotations

from smoker_hub.web import junit, matrix, now, paths, plain, stream, views
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
    "cells at most; rows with the worst cells stay",
    kind="integer",
    low=1,
    high=matrix.MOST,
    default=matrix.USUAL,
)
LAST = Parameter("Last-Event-ID", "the id of the last event that came; what followed it is sent, if it is still kept")
PATHS = Parameter("limit", "paths at most", kind="integer", low=1, high=paths.MOST, default=paths.USUAL)

ROUTES: tuple[Route, ...] = (
    Route(
        "/api/v1/summary",
        "the answer in one sentence, with counts and its age",
        views.Summary,
        lambda sources, _: now.summary(sources.hub),
        text=plain.summary,
    ),
    Route(
        "/api/v1/findings",
        "what is open, and the last 200 findings that closed",
        views.Findings,
        lambda sources, _: now.findings(sources.hub),
        text=plain.findings,
        junit=lambda sources, found: junit.findings(now.summary(sources.hub), found),
    ),
    Route(
        "/api/v1/findings/{id}",
        "one finding with its evidence and the next steps",
        views.View,
        lambda sources, values: now.finding(sources.hub, values["id"]),
        parts=(FINDING,),
        text=plain.finding,
    ),
    Route(
        "/api/v1/nodes",
        "every node with its probers",
        list[views.Node],
        lambda sources, _: now.nodes(sources.hub),
        text=plain.nodes,
    ),
    Route(
        "/api/v1/nodes/{name}",
        "one node: its probers, the open findings that name it, and its failing paths",
        views.NodeDetail,
        lambda sources, values: paths.node(sources.hub, values["name"]),
        parts=(NODE,),
    ),
    Route(
        "/api/v1/matrix",
        "who reaches whom, between nodes or zones, in columns",
        views.Matrix,
        matrix.answer,
        (BY, BETWEEN_NODES, FAMILY, PROBE, FROM, TO, CELLS),
        text=plain.matrix,
        tagged=True,
    ),
    Route(
        "/api/v1/paths",
        "single paths, the worst first: from a node, to a target, or all",
        views.Paths,
        paths.answer,
        (FROM, TO, PLANE, FAMILY, PROBE, PATHS),
        text=plain.paths,
    ),
    Route(
        "/api/v1/stream",
        "server-sent events: snapshot (the first), summary (each look), finding, matrix",
        views.Event,
        stream.answer,
        headers=(LAST,),
        kind=stream.KIND,
        refusals={"503": "too many clients read the stream"},
    ),
)
