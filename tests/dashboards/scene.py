"""A real run with something to show: three echoes, nine probers, a hub, and faults on two nodes.

All of it is on loopback. node-3's TCP probe probes a port that refuses. node-2's paths to http-echo and to the STAMP
reflector break down for some seconds, again and again. Prometheus adds the labels that the scrape of a cluster would
add, and names the targets as the chart does: by its labels it is a release in a cluster of four nodes. node-1 also has
a prober on its own network. Four more probers probe the prober of another node, which Prometheus calls a peer. A mesh
needs a cluster, so the hub reads made-up states of a mesh of these four nodes, in which node-3's TCP fails.
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
import msgspec

from tests.chart.alert_cases import rule_file
from tests.chart.render import Helm
from tests.conftest import Process, free_port, starting
from tests.diagnosis.mesh import Cluster
from tests.hub.stand_ins import Prober
from tests.hub.stand_ins import probers as stand_ins_for
from tests.relay import DROP, PASS, TcpRelay, UdpRelay, refusing

from .prometheus import Prometheus, scraping

NAMESPACE, RELEASE = "smoker", "smoker"
NODES = ("node-1", "node-2", "node-3", "node-4")
PEER = "node-4"
MEETINGS = (("node-1", PEER), ("node-2", PEER), ("node-3", PEER), (PEER, "node-1"))  # who asks whom
PROBES = {"tcp": f"{RELEASE}-server:8080", "udp": f"{RELEASE}-server:8081", "http": f"{RELEASE}-server:8082"}
ECHOES = {"tcp": ("TCP_PORT",), "udp": ("UDP_PORT", "STAMP_PORT"), "http": ("HTTP_PORT",)}
GOOD, BAD = 9.0, 4.0  # seconds for which node-2's relays pass, and drop
AT_ONCE = {"forSeconds": 0}
RULES = {
    "prober": {"intervalSeconds": 1, "timeoutSeconds": 0.3},
    "metrics": {
        "podMonitor": {"intervalSeconds": 1, "timeoutSeconds": 1},
        "prometheusRule": {"enabled": True, "pathAlerts": True, "probeFailing": AT_ONCE, "packetLoss": AT_ONCE},
    },
}


@dataclass(frozen=True)
class Scene:
    """The running processes, and the time since which they run."""

    prometheus: Prometheus
    probers: dict[str, Process]
    began: float


def rules(helm: Helm) -> str:
    """Return the chart's alerts, for a release whose probers probe once a second."""
    return rule_file(helm.render(RULES, release=RELEASE, namespace=NAMESPACE))


@contextlib.contextmanager
def playing(folder: Path, rules: str) -> Iterator[Scene]:
    """Run the scene until the block ends."""
    with contextlib.ExitStack() as stack:
        start = stack.enter_context(starting(folder))
        echoes = {each: start(f"smoker-{each}-echo", ready=False, **dict.fromkeys(ECHOES[each], 0)) for each in ECHOES}
        ports = {name: echoes[each].ports[name] for each, names in ECHOES.items() for name in names}
        for echo in echoes.values():
            echo.wait_ready()
        http = stack.enter_context(TcpRelay(("127.0.0.1", ports["HTTP_PORT"])))
        stamp = stack.enter_context(UdpRelay(("127.0.0.1", ports["STAMP_PORT"])))
        closed, closed_peer = (stack.enter_context(refusing()) for _ in range(2))
        own = {"node-2": {"HTTP_PORT": http.port, "STAMP_PORT": stamp.port}, "node-3": {"TCP_PORT": closed}}
        settings = {"SERVER_HOST": "127.0.0.1", "TEST_INTERVAL": 1, "TEST_TIMEOUT": 0.3}
        answers = {node: {name: free_port() for name in ports} for node in (PEER, NODES[0])}
        for node, of_node in answers.items():
            own[node] = {f"PEER_{name}": port for name, port in of_node.items()}
        probers = {
            node: start("smoker-prober", "run", ready=False, NODE_NAME=node, **settings, **ports | own.get(node, {}))
            for node in NODES
        }
        for node in answers:
            probers[node].wait_ready()
        shut = {"node-3": {"TCP_PORT": closed_peer}}
        host = start("smoker-prober", "run", ready=False, NETWORK="host", NODE_NAME=NODES[0], **settings, **ports)
        meets = {
            node: start(
                "smoker-prober", "run", ready=False, NODE_NAME=node, **settings, **answers[target] | shut.get(node, {})
            )
            for node, target in MEETINGS
        }
        for prober in (*probers.values(), host, *meets.values()):
            prober.wait_ready()
        mesh = Cluster(NODES, host=False).fail(lambda link: link.touches("node-3"), ("tcp",)).states()
        stand_ins = stack.enter_context(stand_ins_for(mesh))
        peers = ",".join(f"{each.state.node}=127.0.0.1:{each.address.port}" for each in stand_ins)
        hub = start("smoker-hub", HTTP_PORT=0, INTERVAL=1, PEERS=peers)
        news = gevent.spawn(_news, stand_ins)
        stack.callback(news.kill)
        targets = [_target(process, f"{each}-echo", NODES[0]) for each, process in echoes.items()]
        targets += [_target(process, "prober", node) for node, process in probers.items()]
        targets += [_target(host, "host", NODES[0]), _target(hub, "hub", NODES[0])]
        targets += [_target(process, "prober", node) for node, process in meets.items()]
        called = {ports["TCP_PORT"]: "tcp", closed: "tcp", ports["UDP_PORT"]: "udp"}
        called |= {ports["HTTP_PORT"]: "http", http.port: "http"}
        relabel = [_labelled(f"127.0.0.1:{port}", "target", PROBES[probe]) for port, probe in called.items()]
        for node, of_node in answers.items():
            of_peer = {"plane": "pod", "family": "ipv4", "target": node}  # the target last: the others go by it
            ports_there = [*of_node.values(), *([closed_peer] if node == PEER else [])]
            for address in (f"127.0.0.1:{port}" for port in ports_there):
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


def _news(stand_ins: list[Prober]) -> None:
    """Change something irrelevant in the states, so that they never become old."""
    while True:
        gevent.sleep(5)
        for each in stand_ins:
            each.state = msgspec.structs.replace(each.state, interval=each.state.interval + 1e-6)


def _target(process: Process, component: str, node: str) -> dict[str, Any]:
    """Return a pod with the labels that the scrape of a cluster would add."""
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
