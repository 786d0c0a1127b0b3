"""External targets, which a URL names: the API server, an ingress, any server.

api=tcp://10.96.0.1:443,livez=https://kubernetes.default.svc/livez,http://example.org:8080/

Each probe says which URLs name targets of it (`probes.base.Probe`).
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from smoker_common.host import InvalidHost, authority, host
from smoker_common.kinds import InvalidValue, Kind
from smoker_prober.probes import PROBES
from smoker_prober.probes.options import Url

BY_SCHEME = {scheme: name for name, probe in PROBES.items() for scheme in probe.schemes}
SIGNS = r"-\w.~!$&'()*+;=:@%/"  # of a path: RFC 3986, but for the comma
_ENTRY = re.compile(
    r"(?:(?P<name>[a-z0-9](?:[-a-z0-9.]{0,61}[a-z0-9])?)=)?"
    rf"(?P<scheme>{'|'.join(BY_SCHEME)})://(?P<host>\[[^\]]*\]|[^][:/?#@]+)?(?::(?P<port>[0-9]{{1,5}}))?"
    rf"(?P<path>/[{SIGNS}]*)?(?:\?(?P<query>[{SIGNS}?]*))?",  # no fragment: it is not sent
    re.ASCII,
)
_SHOWN = 60  # characters of a wrong entry


class External(NamedTuple):
    """An external target. `interval` and `timeout` are in seconds, None: those of all targets."""

    probe: str
    host: str
    port: int
    options: Any = None
    interval: float | None = None
    timeout: float | None = None


def parse(text: str) -> dict[str, External]:
    """Return the entries by name. Raises ValueError with all mistakes."""
    found: dict[str, External] = {}
    wrong = []
    for entry in filter(None, re.split(r"[,\s]+", text)):
        try:
            name, target = of_url(entry)
        except InvalidHost as why:
            wrong.append(f"{entry[:_SHOWN]!r} ({why})")
            continue
        except ValueError:
            wrong.append(repr(entry[:_SHOWN]))
            continue
        if name in found:
            wrong.append(f"{name} twice")
        found[name] = target
    if wrong:
        raise ValueError(", ".join(wrong))
    return found


def of_url(entry: str) -> tuple[str, External]:
    """Return the name and the target of one entry, which is a URL, or `name=` and a URL. Raises ValueError."""
    match = _ENTRY.fullmatch(entry)
    if match is None:
        raise ValueError(entry)
    # In a URL the sign before a zone is written %25 (RFC 6874), or as everywhere else.
    number = None if match["port"] is None else int(match["port"])
    probe = BY_SCHEME[match["scheme"]]
    usual = PROBES[probe].default_host
    if match["host"] is None and usual is None:
        raise ValueError(entry)
    place = usual() if match["host"] is None and usual else host(re.sub("%25(?=[^]])", "%", match["host"]))
    port, options = PROBES[probe].of_url(Url(match["scheme"], place, number, match["path"], match["query"]))
    return match["name"] or authority(place, port), External(probe, place, port, options)


def names_port(entry: str) -> bool:
    """Return whether an entry that `of_url` reads names its port."""
    match = _ENTRY.fullmatch(entry)
    return match is not None and match["port"] is not None


class _Targets(Kind):
    def __call__(self, text: str) -> dict[str, External]:
        """Return the targets by name. Raises `InvalidValue` with what is allowed and each wrong entry."""
        try:
            return parse(text)
        except ValueError as error:
            raise InvalidValue(f"{self.allowed}; wrong: {error}") from error


def forms() -> str:
    """Return the forms of all URLs, as a list in a sentence."""
    *others, last = sorted(probe.form for probe in PROBES.values() if probe.schemes)
    return f"{', '.join(others)} and {last}"


kind = _Targets(
    f"a comma- or space-separated list of {forms()}, each optionally as name=target "
    "(default name: host:port), no name twice; a name: at most 63 of a-z, 0-9, - and ., a letter or digit at both ends",
    parse,
)
