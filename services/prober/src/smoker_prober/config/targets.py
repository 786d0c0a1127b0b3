"""Targets that the settings name by URL: the API server, an ingress, whatever answers without being one of ours.

api=tcp://10.96.0.1:443,livez=https://kubernetes.default.svc/livez,http://example.org:8080/
"""

from __future__ import annotations

import re

from smoker_common.host import NoHost, host
from smoker_common.settings import Kind, Unfit
from smoker_prober.target import Target, Url

_ENTRY = re.compile(
    r"(?:(?P<name>[a-z0-9](?:[-a-z0-9.]{0,61}[a-z0-9])?)=)?"
    r"(?P<scheme>tcp|https?)://(?P<host>\[[^\]]*\]|[^][:/?#@]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[-\w.~!$&'()*+;=:@%/?]*)?",  # RFC 3986, but for the comma, and no fragment: it is not sent
    re.ASCII,
)
_SHOWN = 60  # characters of a wrong entry


def parse(text: str) -> dict[str, tuple[str, Target]]:
    """By name, the probe and the target (without a path by name) of each entry. Raises ValueError with all mistakes."""
    found: dict[str, tuple[str, Target]] = {}
    wrong = []
    for entry in filter(None, re.split(r"[,\s]+", text)):
        try:
            name, probe, target = _one(entry)
        except NoHost as why:
            wrong.append(f"{entry[:_SHOWN]!r} ({why})")
            continue
        except ValueError:
            wrong.append(repr(entry[:_SHOWN]))
            continue
        if name in found:
            wrong.append(f"{name} twice")
        found[name] = probe, target
    if wrong:
        raise ValueError(", ".join(wrong))
    return found


def _one(entry: str) -> tuple[str, str, Target]:
    """Name, probe and target. Raises ValueError."""
    match = _ENTRY.fullmatch(entry)
    if match is None:
        raise ValueError(entry)
    # In a URL the sign before a zone is written %25 (RFC 6874), or as everywhere else.
    scheme, where, port = match["scheme"], host(re.sub("%25(?=[^]])", "%", match["host"])), match["port"]
    if scheme == "tcp":
        if port is None or match["path"] is not None:
            raise ValueError(entry)
        target = Target(where, int(port))
    else:
        url = Url(match["path"] or "/", scheme == "https")
        target = Target(where, url.default_port if port is None else int(port), url=url)
    return match["name"] or target.authority, "connect" if scheme == "tcp" else "http", target


class _Targets(Kind):
    def __call__(self, text: str) -> str:
        """`text`, if it can be parsed. Raises `Unfit` with what is allowed and each entry that is not."""
        try:
            parse(text)
        except ValueError as error:
            raise Unfit(f"{self.allowed}; wrong: {error}") from error
        return text


kind = _Targets(
    "a list by commas or spaces of tcp://host:port and http[s]://host[:port][/path], with name= before it or called "
    "host:port, none like another; a name: at most 63 of a-z, 0-9, - and ., a letter or digit at both ends",
    parse,
)
