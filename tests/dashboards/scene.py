"""A real run that has something to show: three echoes, four probers and two more, and trouble on two nodes.

All of it is on loopback. node-3's TCP probe asks a port that refuses; node-2's way to http-echo and to the STAMP
reflector breaks down for some seconds, again and again. Prometheus adds the labels that the scrape of a cluster would
add, and calls the targets what the chart calls them: by its labels it is a release in a cluster of four nodes. node-1
has a prober on its own network, too, and one that asks node-4's prober: Prometheus calls that a peer.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent

from tests.chart.alert_cases import rule_file
from tests.chart.render import Helm
from tests.conftest import Process, free_port, starting
from tests.relay import DROP, PASS, TcpRelay, UdpRelay, refusing

from .prometheus import Prometheus, scraping

NAMESPACE, RELEASE = "smoker", "smoker"
NODES = ("node-1", "node-2", "node-3", "node-4")
PEER = "node-4"
PROBES = {"tcp": f"{RELEASE}-server:8080", "udp": f"{RELEASE}-server:8081", "http": f"{RELEASE}-server:8082"}
ECHOES = {"tcp": ("TCP_PORT",), "udp": ("UDP_PORT", "STAMP_PORT"), "http": ("HTTP_PORT",)}
GOOD, BAD = 9.0, 4.0  # seconds for which node-2's relays pass, and drop
AT_ONCE = {"forSeconds": 0}
RULES = {
    "prober": {"intervalSeconds": 1, "timeoutSeconds": 0.3},
    "metrics": {
        "podMonitor": {"intervalSeconds": 1, "timeoutSeconds": 1},
        "prometheusRule": {"enabled": True, "probeFailing": AT_ONCE, "packetLoss": AT_ONCE},
    },
}


@dataclass(frozen=True)
class Scene:
    """What is running, and since when."""

    prometheus: Prometheus
    probers: dict[str, Process]
    began: float


def rules(helm: Helm) -> str:
    """The chart's alerts, for a release whose probers ask once a second."""
    return rule_file(helm.render(RULES, release=RELEASE, namespace=NAMESPACE))


@contextlib.contextmanager
def playing(folder: Path, rules: str) -> Iterator[Scene]:
    """The run, until the block ends."""
    with contextlib.ExitStack() as stack:
        start = stack.enter_context(starting(folder))
        echoes = {each: start(f"smoker-{each}-echo", ready=False, **dict.fromkeys(ECHOES[each], 0)) for each in ECHOES}
        ports = {name: echoes[each].ports[name] for each, names in ECHOES.items() for name in names}
        for echo in echoes.values():
            echo.wait_ready()
        http = stack.enter_context(TcpRelay(("127.0.0.1", ports["HTTP_PORT"])))
        stamp = stack.enter_context(UdpRelay(("127.0.0.1", ports["STAMP_PORT"])))
        closed = stack.enter_context(refusing())
        own = {"node-2": {"HTTP_PORT": http.port, "STAMP_PORT": stamp.port}, "node-3": {"TCP_PORT": closed}}
        settings = {"SERVER_HOST": "127.0.0.1", "TEST_INTERVAL": 1, "TEST_TIMEOUT": 0.3}
        answers = {name: free_port() for name in ports}
        own[PEER] = {f"PEER_{name}": port for name, port in answers.items()}
        probers = {
            node: start("smoker-prober", "run", ready=False, NODE_NAME=node, **settings, **ports | own.get(node, {}))
            for node in NODES
        }
        probers[PEER].wait_ready()
        first = {"ready": False, "NODE_NAME": NODES[0], **settings}
        host = start("smoker-prober", "run", NETWORK="host", **first, **ports)
        meets = start("smoker-prober", "run", **first, **answers)
        for prober in (*probers.values(), host, meets):
            prober.wait_ready()
        targets = [_target(process, f"{each}-echo", NODES[0]) for each, process in echoes.items()]
        targets += [_target(process, "prober", node) for node, process in probers.items()]
        targets += [_target(host, "host", NODES[0]), _target(meets, "prober", NODES[0])]
        called = {ports["TCP_PORT"]: "tcp", closed: "tcp", ports["UDP_PORT"]: "udp"}
        called |= {ports["HTTP_PORT"]: "http", http.port: "http"}
        relabel = [_labelled(f"127.0.0.1:{port}", "target", PROBES[probe]) for port, probe in called.items()]
        for address in (f"127.0.0.1:{port}" for port in answers.values()):
            of_peer = {"plane": "pod", "family": "ipv4", "target": PEER}  # the target last: the others go by it
            relabel += [_labelled(address, label, name) for label, name in of_peer.items()]
        prometheus = stack.enter_context(scraping(folder, rules, targets, relabel))
        trouble = gevent.spawn(_trouble, http, stamp)
        stack.callback(trouble.kill)
        yield Scene(prometheus, probers, time.time())


def _trouble(*relays: TcpRelay | UdpRelay) -> None:
    while True:
        for fault, seconds in ((PASS, GOOD), (DROP, BAD)):
            for relay in relays:
                relay.fault = fault
            gevent.sleep(seconds)


def _target(process: Process, component: str, node: str) -> dict[str, Any]:
    """A pod as the scrape of a cluster would know it."""
    labels = {
        "namespace": NAMESPACE,
        "pod": f"{RELEASE}-{component}-{process.popen.pid}",
        "node": node,
        "app_kubernetes_io_instance": RELEASE,
        "app_kubernetes_io_component": component,
    }
    return {"targets": [f"127.0.0.1:{process.ports['ADMIN_PORT']}"], "labels": labels}


def _labelled(target: str, label: str, value: str) -> dict[str, Any]:
    return {"source_labels": ["target"], "regex": re.escape(target), "target_label": label, "replacement": value}
