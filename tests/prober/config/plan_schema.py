"""The JSON Schema of the plan, made from its model. Editors use docs/plan.schema.json, Helm the chart's values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from smoker_common import kinds
from smoker_common.kinds import Kind
from smoker_prober.config.plan import Plan
from smoker_prober.config.reader import options
from smoker_prober.config.target_list import MOST, URL, Entry, TargetList, with_options
from smoker_prober.config.targets import SIGNS
from smoker_prober.probes import PROBES
from smoker_prober.probes.base import Probe
from smoker_prober.probes.options import Url, declared, key_of

DIALECT = "http://json-schema.org/draft-07/schema#"
DEFINED = {kinds.host: "host", URL: "url"}  # long patterns, which the schema of the values defines
HOST = r"(\[[^\]/]+\]|[^\]\[:/?#@,\s]+)"  # the definition looks at it more closely
PORT = ":([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
LABEL = "[A-Za-z0-9_%]([-A-Za-z0-9_%]*[A-Za-z0-9_%])?"  # of a name that is looked up, with %2E and the like
SIGN = SIGNS.replace(r"\w", "A-Za-z0-9_")  # of a path
Schema = dict[str, Any]


def schema(values: str) -> Schema:
    """Return the JSON Schema of the file, with what it uses of the definitions of the chart's values."""
    known = json.loads(values)["definitions"]
    about = {"$schema": DIALECT, "title": "The plan of a Smoker prober"}
    return {**about, **plan(), "definitions": {name: known[name] for name in DEFINED.values()}}


def plan() -> Schema:
    """Return the schema of the plan without the definitions of hosts and URLs."""
    return _group(Plan())


def _group(group: Any) -> Schema:
    properties = {
        key_of(field.name): _entry(option.kind, option.help, getattr(group, field.name))
        for field, option in options(group)
    }
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _entry(kind: Any, help: str, default: Any) -> Schema:
    about = {"description": help}
    if isinstance(kind, TargetList):
        return {"type": "array", "maxItems": MOST, "items": _target(), **about}
    if isinstance(kind, Kind):
        return {**(_reference(DEFINED[kind]) if kind in DEFINED else dict(kind.schema)), **about}
    return {**_group(default), **about}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _target() -> Schema:
    """Return the schema of an entry of `targets`: its keys, and which of them belong together."""
    entry = _group(Entry())
    of_probes = {
        name: {**_group(PROBES[name].options()), "description": f"options of {name}"} for name in with_options()
    }
    by_host = {"required": ["probe"], "allOf": list(_needed())}
    by_url = {"properties": {"host": False, "port": False}}
    return {
        **entry,
        "properties": entry["properties"] | of_probes,
        "if": {"required": ["url"]},
        "then": by_url,
        "else": by_host,
        "allOf": [each for name, probe in PROBES.items() for each in _of_probe(name, probe)],
    }


def _needed() -> Iterator[Schema]:
    """Yield what an entry without a URL must have, by its probe."""
    host = [name for name, probe in PROBES.items() if probe.default_host is None]
    port = [name for name, probe in PROBES.items() if probe.default_port is None]
    for key, names in (("host", host), ("port", port)):
        yield {"if": {"required": ["probe"], "properties": {"probe": {"enum": names}}}, "then": {"required": [key]}}


def _of_probe(name: str, probe: Probe) -> Iterator[Schema]:
    """Yield the conditions of a target of one probe: no options of others, and a URL of its own."""
    named = {"required": ["probe"], "properties": {"probe": {"const": name}}}
    others: Schema = {other: False for other in with_options() if other != name}
    if not probe.schemes:
        yield {"if": named, "then": {"properties": {"url": False, **others}}}
        return
    by_url = _has_url(probe.schemes)
    only = {"probe": {"const": name}, "url": by_url["properties"]["url"]}
    yield {"if": {"anyOf": [named, by_url]}, "then": {"properties": {**only, **others}}}
    over_tls = [scheme for scheme in probe.schemes if _over_tls(probe, scheme)]
    if over_tls:
        yield {
            "if": _has_url(over_tls),
            "then": {"properties": {name: {"properties": {"tls": {"const": True}}}}},
        }


def _has_url(schemes: Iterable[str]) -> Schema:
    return {"required": ["url"], "properties": {"url": {"pattern": f"^({'|'.join(schemes)})://"}}}


def _read(probe: Probe, scheme: str, port: int | None, path: str | None = None, query: str | None = None) -> Any:
    """Return the options of a URL, NotImplemented where the probe cannot read it."""
    try:
        return probe.of_url(Url(scheme, "host", port, path, query))[1]
    except ValueError:
        return NotImplemented


def _over_tls(probe: Probe, scheme: str) -> bool:
    """Return whether URLs of a scheme say `tls: true`, which an option may not contradict."""
    return bool(getattr(_read(probe, scheme, 1), "tls", False))


def urls() -> str:
    """Return the pattern of all URLs of targets, of which the definition `url` reads the hosts."""
    found = [_url(probe, scheme) for probe in PROBES.values() for scheme in probe.schemes]
    return f"^({'|'.join(found)})$"


def without_host() -> str:
    """Return the pattern of the URLs that need no host."""
    schemes = [scheme for probe in PROBES.values() if probe.default_host is not None for scheme in probe.schemes]
    return rf"^({'|'.join(schemes)})://(:|/|\?|$)"


def _url(probe: Probe, scheme: str) -> str:
    """Return the pattern of the URLs of one scheme, as the probe reads them."""
    host = HOST if probe.default_host is None else f"{HOST}?"
    port = PORT if _read(probe, scheme, None) is NotImplemented else f"({PORT})?"
    return f"{scheme}://{host}{port}{_page(probe, scheme)}"


def _page(probe: Probe, scheme: str) -> str:
    options = list(declared(probe.options))
    first = f"{options[0].key}={options[0].default or 'h'}" if options else ""
    by_query = bool(options) and _read(probe, scheme, 1, None, first) is not NotImplemented
    pair = f"({'|'.join(re.escape(each.key) for each in options)})=[{SIGN.replace('&', '')}?]*"
    query = rf"(\?{pair}(&{pair})*)?" if by_query else ""
    if _read(probe, scheme, 1, "/x..y") is NotImplemented and _read(probe, scheme, 1, "/x.y") is not NotImplemented:
        return rf"(/({LABEL}(\.{LABEL})*\.?)?)?{query}"
    if _read(probe, scheme, 1, "/x") is not NotImplemented:
        return f"(/[{SIGN}]*)?{query}" if by_query else f"(/[{SIGN}?]*)?"
    return query if _read(probe, scheme, 1, "/") is NotImplemented else f"/?{query}"
