"""Targets of the cluster's DNS: by its Service, as every program in a pod asks it, and each pod behind it.

Each asks for A and AAAA from one socket at once, as C libraries do: a race that loses one of the two shows, and a
cluster of either family has an answer.
"""

from __future__ import annotations

from smoker_common.kinds import Kind
from smoker_diagnosis.state import RESOLVER, SERVICE
from smoker_prober.network import resolv_conf
from smoker_prober.probes import dns_options
from smoker_prober.target import POD, Path, Target

TYPES = ("A", "AAAA")


def _name(text: str) -> str:
    absolute = dns_options.NAME(text)
    return str(absolute if text.endswith(".") else absolute.removesuffix("."))


NAME = Kind("a Service as NAME.NAMESPACE, or another name with a dot at its end", _name, dns_options.NAME.schema)


def full_name(name: str) -> str:
    """Return the name that is looked up: one without a dot at its end is a Service's, `name.namespace`."""
    return name if name.endswith(".") else f"{name}.svc.{resolv_conf.read().domain}."


def by_service(name: str, network: str) -> Target:
    """Return the target that asks the name server of this pod for `name`."""
    plane = SERVICE if network == POD else f"{network}-{SERVICE}"
    path = Path(RESOLVER, name.removesuffix("."), plane)
    return Target("dns", resolv_conf.server(), dns_options.PORT, path, dns_options.Options(full_name(name), TYPES))


def by_pod(name: str, network: str, *, place: str, address: str, port: int, zone: str = "") -> Target:
    """Return the target that asks one DNS pod for `name`. `place` is its node, and a number where that has several."""
    plane = POD if network == POD else f"{network}-{POD}"
    return Target(
        "dns", address, port, Path(RESOLVER, place, plane, "", zone), dns_options.Options(full_name(name), TYPES)
    )
