"""The resolver's configuration of this pod or host: its name servers, and the cluster's domain (resolv.conf(5)).

The kubelet writes `search NAMESPACE.svc.DOMAIN svc.DOMAIN DOMAIN` into it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from smoker_common.host import InvalidHost, address

PATH = Path("/etc/resolv.conf")
LARGEST = 64 * 1024  # bytes
NO_SERVER = "127.0.0.1"  # what the resolver asks without a name server
DOMAIN = "cluster.local"  # what most clusters are called


class ResolvConf(NamedTuple):
    """What the file says."""

    servers: tuple[str, ...]  # addresses
    domain: str  # the cluster's


def read(path: Path = PATH) -> ResolvConf:
    """Return what the file says now. One that is missing or says nothing gives the resolver's own defaults."""
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST).decode("utf-8", "replace")
    except OSError:
        text = ""
    servers: list[str] = []
    domain = ""
    for line in text.splitlines():
        word, *values = line.split()[:64] or [""]
        if word == "nameserver" and values:
            servers += _address(values[0])
        elif word == "search":  # the last such line counts
            domain = next((each.removeprefix("svc.").rstrip(".") for each in values if each.startswith("svc.")), "")
    return ResolvConf(tuple(servers) or (NO_SERVER,), domain or DOMAIN)


def server() -> str:
    """Return the address of the first name server."""
    return read().servers[0]


def _address(text: str) -> list[str]:
    try:
        return [address(text)]
    except InvalidHost:  # the resolver ignores it, too
        return []
