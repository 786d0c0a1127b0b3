"""Entries of a node's connection tracking, read and replaced with conntrack(8)."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from tests.e2e import faults

_TUPLE = re.compile(r"\b(src|dst|sport|dport)=(\S+)")  # of an entry: first as packets leave, then as answers come
_LIST = 'for f in ipv4 ipv6; do conntrack -L -f $f -p udp --orig-port-src "$1" --orig-port-dst "$2"; done'
_LASTS = "170"  # seconds without a packet


class Flow(NamedTuple):
    """A UDP flow to a Service, and the address of the pod to which the node translates it."""

    source: str
    service: str
    source_port: str
    port: str
    pod: str

    @property
    def match(self) -> tuple[str, ...]:
        """Return the arguments that name its entry."""
        ends = ("-s", self.source, "-d", self.service, "--sport", self.source_port, "--dport", self.port)
        return ("-p", "udp", *ends)


def flow(node: str, source_port: int, port: int) -> Flow:
    """Return the one flow between these ports that the node knows."""
    (entry,) = faults.on(node, "sh", "-c", _LIST, "sh", str(source_port), str(port)).splitlines()
    found = _TUPLE.findall(entry)
    sent, replied = dict(found[:4]), dict(found[4:8])
    return Flow(sent["src"], sent["dst"], sent["sport"], sent["dport"], replied["src"])


def make_stale(node: str, wanted: Flow) -> None:
    """Translate the flow to an address near its pod's that no pod has, as if that pod were gone and its entry not."""
    pod = ipaddress.ip_address(wanted.pod)
    near = ipaddress.ip_network((pod, pod.max_prefixlen - 8), strict=False)
    gone = f"[{near[250]}]" if pod.version == 6 else str(near[250])
    faults.on(node, "conntrack", "-D", *wanted.match)
    known = ("--timeout", _LASTS, "--status", "ASSURED,SEEN_REPLY")
    faults.on(node, "conntrack", "-I", *wanted.match, *known, "--dst-nat", f"{gone}:{wanted.port}")


def remove(node: str, wanted: Flow) -> None:
    """Remove the entry of the flow, if there is one."""
    faults.on(node, "sh", "-c", 'conntrack -D "$@" || true', "sh", *wanted.match)
