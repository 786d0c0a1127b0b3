"""What is probed: a target, and the name of the path to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from smoker_common.host import authority
from smoker_diagnosis.state import SERVICE, Role

LABELS = ("target", "plane", "family", "target_zone")  # labels of a path's series, in the order of `Path`
EXTERNAL: Role = "external"
POD, HOST = "pod", "host"  # the networks on which a prober can stand
OTHER = "other"  # the plane to an external target


class Path(NamedTuple):
    """The path from this prober's node to a target, by name: the key of lines, series and windows.

    `role` says what the target is. `plane` says which networks the path crosses: between probers `pod`, `host`,
    `pod-host` or `host-pod`, to the echo services `service` or `host-service`, to one of TARGETS `other` or
    `host-other`. `family` is `ipv4` or `ipv6`, or empty where the target is a name. `zone` is the target's, or empty
    where it is not known.
    """

    role: Role
    target: str
    plane: str
    family: str = ""
    zone: str = ""

    @property
    def shown_plane(self) -> str:
        """Return the plane in lines, series and the snapshot. A pod's path to the echo services has none there."""
        return "" if self.plane == SERVICE else self.plane

    @property
    def labels(self) -> dict[str, str]:
        """Return the labels of the path's series, without empty ones."""
        values = (self.target, self.shown_plane, self.family, self.zone)
        return {name: value for name, value in zip(LABELS, values, strict=True) if value}


@dataclass(frozen=True, slots=True)
class Target:
    """One probe of one host (a name or an address) and port.

    `options` are those of the probe (None: its defaults). `followups` are the options of what is asked after a success.
    `on_failure` are the options of what follows a failure that lasts.
    `interval` and `timeout` are in seconds, None: those of the plan.
    `spread` is the share of the interval, 0 to below 1, by which its rounds come after the node's place on the grid.
    None: they begin with those of other hosts.
    Raises ValueError without a host or a port.
    """

    probe: str
    host: str
    port: int
    path: Path
    options: Any = None
    followups: tuple[Any, ...] = ()
    interval: float | None = None
    timeout: float | None = None
    on_failure: tuple[Any, ...] = ()
    spread: float | None = None

    def __post_init__(self) -> None:
        if not self.host or not 1 <= self.port <= 65535:
            raise ValueError(f"no target: {self.host!r} port {self.port}")

    def __str__(self) -> str:
        return self.path.target


def service_path(host: str, port: int, plane: str = SERVICE) -> Path:
    """Return the path to an echo service, which has its host and port for a name."""
    return Path(SERVICE, authority(host, port), plane)
