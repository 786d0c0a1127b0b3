"""The OpenAPI 3.1 document of the API, made from the table of routes and the types of the records."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

import msgspec

from smoker_hub.web import views
from smoker_hub.web.router import PROBLEM, XML, Detail, Parameter, Ready, Route

ABOUT = (
    "What the hub knows of the cluster's network. Read-only. A request has no body; a parameter that is not listed is "
    "refused by its name."
)
REFUSALS = {
    "400": "a parameter is unknown, unfit, missing or given twice, or the query is too long",
    "413": "the request has a body",
}
OTHERS = (Detail, views.Snapshot, views.Notification, views.MatrixDelta)  # types that no route returns as they are
REF = "#/components/schemas/{name}"


@cache
def document(routes: tuple[Route, ...], guarded: bool) -> Ready:
    """Return the document of `routes` as JSON; `guarded`: whether they need a token or a password."""
    described = describe(routes)
    if guarded:
        schemes = {scheme: {"type": "http", "scheme": scheme} for scheme in ("bearer", "basic")}
        described["components"]["securitySchemes"] = schemes
        described["security"] = [{scheme: []} for scheme in schemes]
        for path in described["paths"].values():
            path["get"]["responses"]["401"] = _refusal("a token, or a user and a password, is needed")
    return Ready(msgspec.json.encode(described) + b"\n")


def describe(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the document of `routes`."""
    types = [*OTHERS, *(route.returns for route in routes if route.returns is not None)]
    schemas, components = msgspec.json.schema_components(types, ref_template=REF)
    by_route = iter(schemas[len(OTHERS) :])
    paths = {
        route.path: {"get": _operation(route, next(by_route) if route.returns is not None else {"type": "object"})}
        for route in routes
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Smoker hub",
            "description": ABOUT,
            "version": version("smoker-hub"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(route: Route, schema: Any) -> dict[str, Any]:
    content: dict[str, Any] = {route.kind: {"schema": schema}}
    if route.text is not None:
        content["text/plain"] = {"schema": {"type": "string"}}
    if route.junit is not None:
        content[XML] = {"schema": {"type": "string"}}
    responses: dict[str, Any] = {"200": {"description": route.help, "content": content}}
    if route.tagged:
        responses["200"]["headers"] = {"ETag": {"schema": {"type": "string"}}}
        responses["304"] = {"description": "the client has it already (If-None-Match)"}
    past = bool({"at", "since"} & {each.name for each in route.parameters})
    refusals = REFUSALS | ({"404": "nothing has that name, or there is no history"} if route.parts or past else {})
    refusals |= ({"503": "the history cannot be read"} if past else {}) | dict(route.refusals)
    responses |= {status: _refusal(why) for status, why in sorted(refusals.items())}
    parameters = [_parameter(each, "path") for each in route.parts] + [
        _parameter(each, "query") for each in route.query
    ]
    name = re.sub(r"\W+", "_", route.path.removeprefix("/api/v1/")).strip("_")
    return {"operationId": name, "summary": route.help, "parameters": parameters, "responses": responses}


def _refusal(why: str) -> dict[str, Any]:
    return {"description": why, "content": {PROBLEM: {"schema": {"$ref": REF.format(name="Detail")}}}}


def _parameter(parameter: Parameter, where: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": parameter.name, "in": where, "description": parameter.help}
    found["required"] = parameter.required or where == "path"
    return found | {"schema": {"type": "string"} if where == "header" else parameter.schema}
