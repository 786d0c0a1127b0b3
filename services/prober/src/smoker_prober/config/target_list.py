"""The list `targets` of the file: each entry names a target by its probe and host, or by a URL.

- {name: api, probe: tls, host: kubernetes.default, port: 443, tls: {minVersion: "1.3"}}
- {name: shop, url: https://shop.example/health, interval: 1m}
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from smoker_common import kinds
from smoker_common.host import InvalidHost, authority
from smoker_common.kinds import Kind, one_of
from smoker_common.settings import shown
from smoker_prober.config import targets as externals
from smoker_prober.config.document import Node, line_of
from smoker_prober.config.reader import Reader, Wrong, options
from smoker_prober.config.targets import External
from smoker_prober.probes import PROBES
from smoker_prober.probes.options import key_of, option

MOST = 1024  # targets: as many have series of their own
NAME = r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?"
BY_URL = ("path", "tls")  # which a URL always says, be it only / and nothing
INTERVAL, TIMEOUT = kinds.duration(0.1, 86400), kinds.duration(0.001, 3600)


def _name(text: str) -> str:
    if not re.fullmatch(NAME, text, re.ASCII):
        raise ValueError(text)
    return text


def _url(text: str) -> External:
    """Return the target of a URL; its port is 0 where the URL names none, because further options decide it."""
    try:
        found = externals.of_url(text)[1] if not text.partition(":")[0].count("=") else _no_url(text)
        return found if externals.names_port(text) else found._replace(port=0)
    except InvalidHost as why:
        raise ValueError(str(why)) from why


def _no_url(text: str) -> External:
    raise ValueError(text)


URL = Kind(f"one of {externals.forms()}", _url)


@dataclass(frozen=True)
class Entry:
    """The keys of an entry, beside the options of its probe, which stand under the probe's name."""

    name: str = option(
        "",
        Kind(
            "a name: at most 63 of a-z, 0-9, - and ., a letter or digit at both ends",
            _name,
            {"type": "string", "pattern": f"^{NAME}$"},
        ),
        "its name in logs, metrics and findings; default: host:port",
    )
    probe: str = option("", one_of(*PROBES), "the kind of probe; a URL sets it by its scheme")
    url: External | None = option(None, URL, "the target, in place of host and port")
    host: str = option("", kinds.host, "its name or address")
    port: int | None = option(None, kinds.port, "its port; many kinds of probes have a default")
    interval: float | None = option(None, INTERVAL, "time between two probes of this target; default: the plan's")
    timeout: float | None = option(None, TIMEOUT, "time limit of one probe of this target; default: the plan's")


class _Found(NamedTuple):
    """An entry as it stands in the file: its keys, and the nodes of the options of probes."""

    keys: Entry
    of_probes: dict[str, Node]


class TargetList(Kind):
    """The kind of `targets`: in the file a list of entries, in the environment one of URLs."""

    def __call__(self, text: str) -> Any:
        """Return the targets in a list of URLs. Raises `InvalidValue`."""
        return externals.kind(text)

    def read(self, reader: Reader, node: Node, at: str, before: Mapping[str, Any]) -> dict[str, External]:
        """Return the targets by name. `before` has what the file says before: the defaults of the probes."""
        found: dict[str, External] = {}
        lines: dict[str, int] = {}
        for number, (place, item) in enumerate(reader.items(node, at)):
            if reader.full:
                break
            if number == MOST:
                raise reader.wrong(item, at, f"more than {MOST} targets")
            try:
                name, target = _target(reader, item, place, before.get("probes"))
            except Wrong:
                continue
            if name in found:
                reader.wrong(item, place, f"a second target of the name {name}; the first is in line {lines[name]}")
                continue
            found[name], lines[name] = target, line_of(item)
        return found


def _target(reader: Reader, node: Node, at: str, defaults: Any) -> tuple[str, External]:
    """Return the name and the target of an entry. Raises `Wrong`, once all of the entry is read."""
    mistakes = len(reader.mistakes)
    keys, of_probes = _entry(reader, node, at)
    url = keys.url
    probe = keys.probe or (url.probe if url is not None else "")
    host, port = (keys.host, keys.port) if url is None else (url.host, url.port or None)
    if probe and not host:
        host = _usual_host(probe)
    for wrong in _contradictions(keys) if len(reader.mistakes) == mistakes else ():
        reader.wrong(node, at, wrong)
    given = _options(reader, probe, of_probes, at, _begin(probe, url, defaults))
    over_tls = url is not None and url.probe == probe and getattr(url.options, "tls", False)
    if over_tls and not getattr(given, "tls", True):
        reader.wrong(node, at, "tls: false beside a URL over TLS")
    if probe and port is None:
        port = PROBES[probe].usual_port(given)
    if len(reader.mistakes) > mistakes or port is None:
        raise Wrong
    return keys.name or authority(host, port), External(probe, host, port, given, keys.interval, keys.timeout)


def _contradictions(keys: Entry) -> Iterator[str]:
    """Yield what an entry says twice, or not at all."""
    url, probe = keys.url, keys.probe
    if url is not None:
        for key in ("host", "port"):
            if getattr(keys, key):
                yield f"{key} beside url, which contains it already"
        if probe and probe != url.probe:
            yield f"probe {probe} beside a URL of the probe {url.probe}"
    elif not probe:
        yield "it needs probe or url"
    elif not (keys.host or _usual_host(probe)):
        yield "it needs host or url"
    elif keys.port is None and PROBES[probe].default_port is None:
        yield f"it needs port, because {probe} has no default port"


def _usual_host(probe: str) -> str:
    """Return the host of a probe that names none; empty where it must name one."""
    usual = PROBES[probe].default_host
    return usual() if usual is not None else ""


def _entry(reader: Reader, node: Node, at: str) -> _Found:
    """Return the keys of an entry, and the nodes of the options of probes."""
    kinds = {key_of(field.name): (field.name, cast(Kind, option.kind)) for field, option in options(Entry)}
    values: dict[str, Any] = {}
    of_probes: dict[str, Node] = {}
    for key, value in reader.pairs(node, at, [*kinds, *with_options()]):
        if key not in kinds:
            of_probes[key] = value
            continue
        field, kind = kinds[key]
        try:
            values[field] = reader.value(kind, value, f"{at}.{key}")
        except Wrong:
            continue
    return _Found(Entry(**values), of_probes)


def _begin(probe: str, url: External | None, defaults: Any) -> Any:
    """Return the options with which an entry begins: the URL's, and for what it does not say the file's defaults."""
    if probe not in with_options():
        return None
    usual = PROBES[probe].options()
    begin = getattr(defaults, probe, usual)
    if url is None or url.options is None or url.probe != probe:  # `_contradictions` names a URL of another probe
        return begin
    given = {
        field.name: getattr(url.options, field.name)
        for field in dataclasses.fields(usual)
        if field.name in BY_URL or getattr(url.options, field.name) != getattr(usual, field.name)
    }
    return dataclasses.replace(begin, **given)


def _options(reader: Reader, probe: str, of_probes: Mapping[str, Node], at: str, begin: Any) -> Any:
    """Return the options of an entry's probe, None for a probe without."""
    found = begin
    for key, node in of_probes.items():
        if key == probe:
            found = reader.group(begin, node, f"{at}.{key}")
        elif probe:
            reader.wrong(node, at, f"{shown(key)} has options of a probe other than {probe}")
    return found


def with_options() -> list[str]:
    """Return the names of the probes that have options."""
    return [name for name, probe in PROBES.items() if any(True for _ in options(probe.options))]
