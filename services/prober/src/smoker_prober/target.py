"""What is probed, and by which way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from smoker_common.host import authority, wire

LABELS = ("target", "plane", "family", "target_zone")  # of a path's series, in the order of `Path`
OTHER = "other"  # the plane of what is neither a peer nor the echo services


class Path(NamedTuple):
    """One way from this prober's node to a target, by name: what lines, series and windows are called by.

    `plane` is the way: `pod` (from a pod to a pod), `host`, `pod-host`, `host-pod`; `host-service`; `other`,
    `host-other`: to one of TARGETS; empty: from a pod to the Service. `family` is `ipv4` or `ipv6` where the way has
    just one. `zone` is the target's, where it is known.
    """

    target: str
    plane: str = ""
    family: str = ""
    zone: str = ""

    @property
    def labels(self) -> dict[str, str]:
        """Of a series: what there is."""
        return {name: value for name, value in zip(LABELS, self, strict=True) if value}


class Url(NamedTuple):
    """What a URL says beside host and port. `path` with its query, as it is sent."""

    path: str = "/"
    tls: bool = False

    @property
    def default_port(self) -> int:
        return 443 if self.tls else 80


@dataclass(frozen=True, slots=True)
class Target:
    """A host (a name or an address) and a port; a peer has a path by name, which says nothing of its address.

    `url` is there where HTTP is asked by one, and not of an echo. Raises ValueError without a host or a port.
    """

    host: str
    port: int
    peer: Path | None = None
    url: Url | None = None
    #: The way to it, by name: one object for all who keep it, for there can be thousands of targets.
    path: Path = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.host or not 1 <= self.port <= 65535:
            raise ValueError(f"no target: {self.host!r} port {self.port}")
        object.__setattr__(self, "path", self.peer or Path(self.authority))

    def __str__(self) -> str:
        return self.path.target

    @property
    def authority(self) -> str:
        """`host:port`, an IPv6 address in brackets, as people read it."""
        return authority(self.host, self.port)

    @property
    def host_header(self) -> str:
        """What a server is asked for (RFC 9110 section 7.2): of a URL without its scheme's port (section 4.2)."""
        asked = authority(wire(self.host), self.port)
        return asked if self.url is None else asked.removesuffix(f":{self.url.default_port}")

    @property
    def server_name(self) -> str:
        """What a server's certificate must be for: a name without the dot of the root (RFC 6066 section 3)."""
        return wire(self.host).removesuffix(".")
