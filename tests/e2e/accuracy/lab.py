"""The parts of a cluster that the rows need: nodes by role, faults on them, and their end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import NamedTuple

import msgspec

from smoker_diagnosis.finding import Finding
from smoker_diagnosis.state import State, StateError, decode
from smoker_hub.web.views import Findings
from tests.e2e import faults
from tests.e2e.accuracy import conntrack
from tests.e2e.cluster import Namespace, Object, addresses, items
from tests.e2e.release import Release
from tests.images.command import CommandError, run

UDP_ECHO = 8081
ADMIN = {"prober": 9464, "host": 19464}
AT_ONCE = 8  # requests
PAUSE = 1.0  # seconds between two looks at the flows of a pod
#: Asked from inside the hub's pod: the way to it from elsewhere is what some faults break.
ASK = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8083/api/v1/findings', timeout=5).read().decode())"
#: The same, after a line with the date of that node.
ASK_WITH_DATE = f"import time; print(time.time()); {ASK}"


class Open(NamedTuple):
    """A finding that the hub has open, and the seconds since it opened, by the hub's clock."""

    finding: Finding
    since: float


class DnsPod(NamedTuple):
    """A pod of the cluster's DNS, with its IPv4 address."""

    node: str
    address: str
    name: str


class Lab:
    """A cluster with an installed release. `heal` undoes everything that a row does."""

    def __init__(self, release: Release, nodes: set[str]) -> None:
        self.release, self._namespace = release, release.namespace
        self.nodes = sorted(nodes)
        #: No echo and no DNS server stands on the victim: a fault there is a fault of that node alone.
        busy = {pod["spec"]["nodeName"] for pod in self._pods("app=smoker-server")} | {
            each.node for each in self.dns_pods()
        }
        (hub,) = (str(pod["spec"]["nodeName"]) for pod in self._pods("app.kubernetes.io/component=hub"))
        others = [node for node in self.nodes if node != hub]  # a hub on the victim would be cut off itself
        self.victim = ([node for node in others if node not in busy] or others)[0]
        self._first = next(node for node in others if node != self.victim)
        self.second = next(node for node in reversed(self.nodes) if node != self.victim)
        self._zones = {
            node["metadata"]["name"]: node["metadata"]["labels"].get("topology.kubernetes.io/zone", "")
            for node in items("nodes")
        }
        self.kept_port = 0  # source port of the flow that `stale_flow` broke
        self._undo = ExitStack()

    def places(self, names: frozenset[str]) -> frozenset[str]:
        """Return the nodes or zones that a row's words stand for."""
        words = {
            "victim": {self.victim},
            "second": {self.second},
            "first": {self.first},
            "zones": set(self._zones.values()),
            "dns": {each.node for each in self.dns_pods()[:1]},
        }
        return frozenset(place for name in names for place in words[name])

    @property
    def first(self) -> str:
        """Return a node that is neither the victim nor the hub's."""
        return self._first

    def zone(self, number: int) -> list[str]:
        """Return the nodes of a zone."""
        name = sorted(set(self._zones.values()))[number]
        return [node for node in self.nodes if self._zones[node] == name]

    def address(self, node: str) -> str:
        """Return the IPv4 address of a node: the overlay runs over it."""
        return next(each for each in addresses(node) if ":" not in each)

    def pod_address(self, node: str) -> str:
        """Return the address of the prober in a pod of `node`."""
        return str(self._pod(self.prober_of(node))["status"]["podIP"])

    def _pod(self, name: str) -> Object:
        found: Object = json.loads(self._namespace.kubectl("get", "pod", name, "--output=json"))
        return found

    def stale_flow(self, node: str) -> None:
        """Send the kept flow of the prober in a pod of `node` to an address without a pod, as a stale entry does."""
        pod = self.prober_of(node)
        self.kept_port = self._kept_port(pod)
        flow = conntrack.flow(node, self.kept_port, UDP_ECHO)
        assert flow.source in [each["ip"] for each in self._pod(pod)["status"]["podIPs"]], flow
        assert flow.pod != flow.service, f"not translated: {flow}"
        self._undo.callback(conntrack.remove, node, flow)
        conntrack.make_stale(node, flow)

    def _kept_port(self, pod: str) -> int:
        """Return the source port of the one flow to a UDP echo that stays open in a pod."""
        ask = ("exec", pod, "--", "sh", "-c", "cat /proc/net/udp /proc/net/udp6")
        wanted = f":{UDP_ECHO:04X}"

        def ports() -> set[int]:
            lines = [line.split() for line in self._namespace.kubectl(*ask).splitlines()]
            return {int(line[1].rpartition(":")[2], 16) for line in lines if line[2].endswith(wanted)}

        found = ports()
        for _ in range(2):  # those of the probes last for a moment
            time.sleep(PAUSE)
            found &= ports()
        (port,) = found
        return port

    def on(self, node: str, *command: str) -> None:
        """Run a command in a node's network namespace."""
        self._heals()
        faults.on(node, *command)

    def drop(self, node: str, chain: str, *match: str, table: str = "filter", families: tuple[str, ...] = ()) -> None:
        """Drop matching packets, in both address families unless an address or `families` restricts it."""
        self._rule(node, chain, match, ("DROP",), table, families)

    def reject(self, node: str, chain: str, *match: str) -> None:
        """Reject matching packets with an ICMP error."""
        self._rule(node, chain, match, ("REJECT",), "filter", ())

    def _rule(
        self,
        node: str,
        chain: str,
        match: tuple[str, ...],
        action: tuple[str, ...],
        table: str,
        families: tuple[str, ...],
    ) -> None:
        named = [match[index + 1] for index, word in enumerate(match[:-1]) if word in ("-s", "-d")]
        six = any(":" in each for each in named)
        wanted = families or (("ip6tables",) if six else ("iptables",) if named else ("iptables", "ip6tables"))
        for program in wanted:
            self.on(node, program, "-w", "5", "-t", table, "-I", chain, *match, *faults.COMMENT, "-j", *action)

    def policy(self, spec: object) -> None:
        """Create a NetworkPolicy."""
        self._undo.enter_context(self._namespace.policy("accuracy", spec))  # type: ignore[arg-type]

    def label(self, pod: str, key: str, value: str) -> None:
        """Label a pod."""
        self._namespace.kubectl("label", "pod", pod, f"{key}={value}")
        self._undo.callback(self._namespace.kubectl, "label", "pod", pod, f"{key}-")

    def scale(self, component: str, replicas: int) -> None:
        """Scale a Deployment; `heal` sets it to one replica."""
        name = f"deployment/{self.release.name}-{component}"
        self._namespace.kubectl("scale", name, f"--replicas={replicas}")
        self._undo.callback(self._namespace.kubectl, "rollout", "status", name, "--timeout=60s", seconds=70)
        self._undo.callback(self._namespace.kubectl, "scale", name, "--replicas=1")

    def restart(self, *kinds_and_components: str) -> None:
        """Restart a workload, such as `daemonset/prober`, with all pods at once."""
        targets = [each.replace("/", f"/{self.release.name}-") for each in kinds_and_components]
        _roll_out(self._namespace.kubectl, targets)

    def restart_dns(self) -> None:
        """Restart the DNS servers of the cluster."""
        _roll_out(Namespace("kube-system").kubectl, ["deployment/coredns"])

    def drain(self, node: str) -> None:
        """Drain a node; `heal` allows pods there again."""
        self._undo.callback(run, "kubectl", "uncordon", node)
        drain = ("--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=60s")
        run("kubectl", "drain", node, *drain, seconds=70)

    def await_pods(self, component: str) -> None:
        """Wait until a Deployment has all its pods."""
        name = f"deployment/{self.release.name}-{component}"
        self._namespace.kubectl("rollout", "status", name, "--timeout=60s", seconds=70)

    def starve(self, node: str) -> None:
        """Run a loop that uses the CPU of the prober in a pod of `node`, up to its limit."""
        self._undo.enter_context(faults.spinning(self._namespace, self.prober_of(node)))

    def cordon(self, node: str) -> None:
        """Cordon a node."""
        run("kubectl", "cordon", node)
        self._undo.callback(run, "kubectl", "uncordon", node)

    def freeze(self, node: str) -> None:
        """Stop the process of the prober in a pod of `node`, as if it hung; `heal` continues it."""
        script = (
            'for pid in $(pgrep -f "smoker-prober run"); do env=$(tr "\\0" " " </proc/$pid/environ); case " $env" in '
            f'*" NODE_NAME={node} "*) case " $env" in *" NETWORK=pod "*) case " $env" in '
            f'*" PEER_SERVICE={self.release.name}-prober "*) kill -$1 $pid;; esac;; esac;; esac; done'
        )
        self._undo.callback(faults.on, node, "sh", "-c", script, "sh", "CONT")
        faults.on(node, "sh", "-c", script, "sh", "STOP")

    def scale_dns(self, replicas: int) -> None:
        """Scale the DNS servers of the cluster; `heal` restores their number."""
        before = len(self.dns_pods())
        name = ("--namespace", "kube-system", "deployment/coredns")
        self._undo.callback(run, "kubectl", "rollout", "status", *name, "--timeout=60s", seconds=70)
        self._undo.callback(run, "kubectl", "scale", *name, f"--replicas={before}")
        run("kubectl", "scale", *name, f"--replicas={replicas}")

    def service_addresses(self, component: str) -> list[str]:
        """Return the cluster addresses of a Service of the release."""
        service = json.loads(
            self._namespace.kubectl("get", "service", f"{self.release.name}-{component}", "--output=json")
        )
        return [str(each) for each in service["spec"]["clusterIPs"]]

    def dns_addresses(self) -> list[str]:
        """Return the cluster addresses of the DNS."""
        service = json.loads(run("kubectl", "get", "service", "--namespace=kube-system", "kube-dns", "--output=json"))
        return [str(each) for each in service["spec"]["clusterIPs"]]

    def dns_pods(self) -> list[DnsPod]:
        """Return the DNS servers; a row breaks the first one."""
        pods = items("--namespace", "kube-system", "pods", "--selector", "k8s-app=kube-dns")
        return sorted(
            DnsPod(each["spec"]["nodeName"], each["status"]["podIP"], each["metadata"]["name"]) for each in pods
        )

    def prober_of(self, node: str) -> str:
        """Return the name of the prober in a pod of `node`."""
        pods = self._pods("app.kubernetes.io/component=prober")
        return next(str(pod["metadata"]["name"]) for pod in pods if pod["spec"]["nodeName"] == node)

    def _pods(self, selector: str) -> list[Object]:
        return self._namespace.items("pods", f"{self.release.selector},{selector}")

    def _heals(self) -> None:
        self._undo.enter_context(faults.healed())

    def heal(self) -> None:
        """Undo everything that the row has done."""
        self._undo.close()

    def open(self) -> list[Open] | None:
        """Return the hub's open findings; None if it cannot be asked just now."""
        hub = f"deployment/{self.release.name}-hub"
        try:
            answer = self._namespace.kubectl("exec", hub, "--", "python3", "-c", ASK_WITH_DATE, seconds=10)
        except CommandError:
            return None
        date, found = answer.split("\n", 1)
        now = float(date)
        return [
            Open(each.finding, now - (each.opened or now)) for each in msgspec.json.decode(found, type=Findings).open
        ]

    def states(self) -> list[State]:
        """Return the states of all probers that the API server's proxy reaches, as the hub would read them."""
        asked = [
            (str(pod["metadata"]["name"]), port)
            for component, port in ADMIN.items()
            for pod in self._pods(f"app.kubernetes.io/component={component}")
        ]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return [state for state in pool.map(lambda each: self._state(*each), asked) if state is not None]

    def _state(self, pod: str, port: int) -> State | None:
        path = f"/api/v1/namespaces/{self._namespace.name}/pods/{pod}:{port}/proxy/api/v1/state"
        try:
            return decode(run("kubectl", "get", "--raw", path, "--request-timeout=3s", seconds=5).encode())
        except (CommandError, StateError):
            return None


def _roll_out(kubectl: Callable[..., str], targets: Sequence[str]) -> None:
    for target in targets:
        kubectl("rollout", "restart", target)
    for target in targets:
        kubectl("rollout", "status", target, "--timeout=120s", seconds=130)
