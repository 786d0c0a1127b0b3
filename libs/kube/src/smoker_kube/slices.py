"""Read EndpointSlices: the pods behind a Service, their nodes, and their conditions.

https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

SERVICE = "kubernetes.io/service-name"
FAMILIES = {"IPv4": 4, "IPv6": 6}  # the API's words, in order of preference; a slice of names (FQDN) has no addresses


class PlacedEndpoint(NamedTuple):
    """One endpoint of one slice, in any condition."""

    service: str
    family: str
    address: str
    node: str
    zone: str
    pod: str
    ready: bool  # as the API says; an endpoint without this condition is ready
    serving: bool
    terminating: bool


def path(namespace: str) -> str:
    """Return the path of a namespace's EndpointSlices."""
    return f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"


def selector(services: Iterable[str]) -> str:
    """Return the label selector of the slices of these Services; empty names are left out."""
    return f"{SERVICE} in ({','.join(sorted({name for name in services if name}))})"


def service_of(item: Any) -> str:
    """Return the name of the Service that a slice belongs to, or an empty string."""
    return str(of(of(of(item, "metadata", dict), "labels", dict), SERVICE, str))


def placed(item: Any) -> Iterator[PlacedEndpoint]:
    """Yield the endpoints of a slice that have an address and a node. Invalid content is skipped."""
    service, family = service_of(item), of(item, "addressType", str)
    if not service or family not in FAMILIES:
        return
    for each in of(item, "endpoints", list):
        conditions = of(each, "conditions", dict)
        address = next(iter(of(each, "addresses", list)), "")  # the API defines no meaning for the others
        node, pod = of(each, "nodeName", str), of(of(each, "targetRef", dict), "name", str)
        if node and is_address(address, FAMILIES[family]):
            ready, serving = conditions.get("ready") is not False, conditions.get("serving") is not False
            terminating = conditions.get("terminating") is True
            yield PlacedEndpoint(
                service, family, address, node, of(each, "zone", str), pod, ready, serving, terminating
            )


def is_address(text: object, version: int) -> bool:
    """Return whether `text` is an IP address of this version."""
    try:
        return isinstance(text, str) and ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def of(tree: Any, key: str, kind: type) -> Any:
    """Return the value at `key`, or an empty value of type `kind` if it is missing or of another type."""
    value = tree.get(key) if isinstance(tree, dict) else None
    return value if isinstance(value, kind) and not isinstance(value, bool) else kind()
