"""The mesh on a real cluster: which nodes probe which, the effect of each fault of a node, and no result otherwise.

The tests depend on each other and share one release, in a namespace that allows its second DaemonSet on the host
network.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from itertools import permutations
from pathlib import Path

import pytest

from tests.e2e import faults, hub
from tests.e2e.cluster import eventually, fresh_namespace, items, kubectl
from tests.e2e.following import Following
from tests.e2e.lines import LOCAL_ERROR, PROBES, Result
from tests.e2e.prometheus import Prometheus, watching
from tests.e2e.release import AT_ONCE, FAST, Mark, Release
from tests.e2e.test_alerts import THIRTIETH, settled

pytestmark = pytest.mark.cluster

BOTH = "prober|host"
COMPONENT = "app.kubernetes.io/component"
ECHOES = ("tcpEcho", "udpEcho", "httpEcho")
EVERY = 3  # seconds between rounds: with a round per second the probers of four nodes fill two CPUs
PACE = {**FAST, "prober.intervalSeconds": EVERY}
MESH = {
    **PACE,
    "mesh.peers": 0,
    "hostNetwork.enabled": True,
    "prober.probeApiServer": False,  # its failures are no fault of the mesh, and one test stops it
    **{f"{echo}.replicas": 2 for echo in ECHOES},
    # Short durations for the tests, except the time for which a prober may be away.
    **{key: value for key, value in THIRTIETH.items() if "metrics." in key and "proberMissing" not in key},
}
FEW, MANY = 3, 20_000  # so few probes may fail, or one in so many: a busy kube-proxy sends some to a pod that is gone
UNMADE = f" FAILED error={LOCAL_ERROR}"
ROLLOUTS = int(os.environ.get("E2E_ROLLOUTS", "1"))
LOST = 70 // EVERY  # results of two probers: a connection that is cut is noticed after half a minute
API = ("-p", "tcp")
CONTROLLERS = "kube-controller"  # the kernel keeps 15 characters of a program's name, of kube-controller-manager, too
MINUTE = 60  # seconds
# The addresses and ports on which a host listens over TCP (state 0A) and UDP (not connected), from proc_net_tcp(5).
LISTENING = """
import ipaddress, json, socket, sys
found = []
for name in ("tcp", "tcp6", "udp", "udp6"):
    for line in open(f"/proc/net/{name}").readlines()[1:]:
        local, remote, state = line.split()[1:4]
        if state == "0A" or (name.startswith("udp") and remote.endswith(":0000")):
            address, port = local.split(":")
            order = -1 if sys.byteorder == "little" else 1  # the kernel writes words of 32 bits
            raw = b"".join(bytes.fromhex(address[i : i + 8])[::order] for i in range(0, len(address), 8))
            found.append((str(ipaddress.ip_address(raw)), int(port, 16)))
print(json.dumps(found))
"""
QUIET = {"prober.timeoutSeconds": 5, AT_ONCE: "25%"}  # as by default: this is about quiet, not about speed


@pytest.fixture(scope="module")
def release(images: dict[str, object], helm: str, nodes: set[str]) -> Iterator[Release]:
    """A release on both networks that probes all of its peers."""
    assert len(nodes) >= 4, "these tests need four nodes"
    with fresh_namespace(level="privileged") as namespace:
        release = Release("smoker", namespace, helm, {**MESH, **images})
        release.install()
        yield release


@pytest.fixture(autouse=True)
def well(release: Release, nodes: set[str]) -> None:
    """Begin each test with a complete mesh in which nothing fails."""
    whole(release, nodes)


def whole(release: Release, nodes: set[str], seconds: float = 90) -> None:
    """Check by new results that every ordered pair of nodes works on the pod network and on the host network."""
    mark = release.log(BOTH)
    wanted = {(a, b, plane, probe) for a, b in permutations(nodes, 2) for plane in ("pod", "host") for probe in PROBES}

    def all_of_them() -> None:
        latest = {(*r.pair, r.plane, r.family, r.probe): r.outcome for r in release.all_results(mark, BOTH) if r.peer}
        found = {(a, b, plane, probe) for (a, b, plane, _family, probe) in latest}
        assert not wanted - found, f"{len(wanted - found)} paths are not probed, such as {min(wanted - found)}"
        bad = {path for path, outcome in latest.items() if outcome != "success"}
        assert not bad, f"{len(bad)} paths fail, such as {min(bad)}"

    eventually("the mesh is whole", seconds, all_of_them)


def failures(found: list[Result]) -> list[Result]:
    return [result for result in found if result.outcome != "success"]


def some_rounds(release: Release, nodes: set[str], rounds: int, without: Collection[str] = ()) -> None:
    """Wait for this number of further rounds of every prober of `nodes`. `without`: as for all_results."""
    mark = release.log(BOTH, without)

    def enough() -> None:
        found = release.all_results(mark, BOTH, without)
        seen = Counter((r.node, r.plane) for r in found if not r.peer and r.probe == "HTTP")
        assert all(seen[node, plane] >= rounds for node in nodes for plane in ("", "host-service")), f"{seen}"

    eventually(f"{rounds} more rounds", 120, enough)


def test_who_probes_whom(release: Release, nodes: set[str]) -> None:
    """Every ordered pair is probed over all four planes, by each family.

    On its own node a prober probes the other network.
    """
    mark = release.log(BOTH)
    some_rounds(release, nodes, 2)
    seen = {(*r.pair, r.plane) for r in release.all_results(mark, BOTH) if r.peer}
    apart = {(a, b, plane) for a, b in permutations(nodes, 2) for plane in ("pod", "host", "pod-host", "host-pod")}
    at_home = {(node, node, plane) for node in nodes for plane in ("pod-host", "host-pod")}
    assert seen == apart | at_home
    service = release.namespace.items("services", f"{release.selector},app.kubernetes.io/component=prober")[0]
    families = {family.lower() for family in service["spec"]["ipFamilies"]}
    assert {r.family for r in release.all_results(mark, BOTH) if r.peer} == families


def test_host_ports(release: Release) -> None:
    """On a node the prober's ports are open only on the node's own addresses, one in each family."""
    ports = {19464, 18080, 18081, 18082, 18062}
    for pod in release.pods("host"):
        found = json.loads(release.namespace.kubectl("exec", pod["metadata"]["name"], "--", "python", "-c", LISTENING))
        where = {(address, port) for address, port in found if port in ports}
        own = {address["ip"] for address in pod["status"]["podIPs"]}
        assert where == {(str(ip_address(address)), port) for address in own for port in ports}


def test_no_address(release: Release) -> None:
    """No line of a prober has the address of a pod or node, except the line about its own listeners."""
    addresses = {address["ip"] for pod in release.pods() for address in pod["status"]["podIPs"]}
    said = [line.text for lines in release.log(BOTH).values() for line in lines if " started " not in line.text]
    assert [text for text in said if any(address in text for address in addresses)] == []


def test_helm_test(release: Release, nodes: set[str]) -> None:
    """`helm test` asks the hub, which says how many paths work."""
    said = release.test()
    assert re.search(rf"^HEALTHY all \d+ paths of {2 * len(nodes)} probers work$", said, re.MULTILINE), said
    assert "asking the hub" in said


def without_dns(nodes: set[str]) -> set[str]:
    """Return the nodes without a DNS pod: their faults do not interrupt the cluster's DNS."""
    found = items("--namespace", "kube-system", "pods", "--selector", "k8s-app=kube-dns")
    return nodes - {pod["spec"]["nodeName"] for pod in found}


def test_link(release: Release, nodes: set[str]) -> None:
    """If a node's link is down, its row and its column fail on both networks. All other pairs work."""
    bad = max(nodes)
    mark = release.log(BOTH)
    with faults.healed():
        faults.on(bad, "ip", "link", "set", "eth0", "down")

        def column() -> None:
            found = failures(release.all_results(mark, BOTH, without=[bad]))
            assert {r.pair for r in found if r.plane == "host"} >= {(node, bad) for node in nodes - {bad}}

        eventually(f"all others' paths to {bad} fail", 60, column)

        def long_enough() -> None:
            seen = Counter(
                r.node for r in release.all_results(mark, BOTH, without=[bad]) if not r.peer and r.probe == "TCP"
            )
            assert min(seen[node] for node in nodes - {bad}) >= LOST, f"{seen}"

        eventually("the node has lost the API server, too, and knows it", 120, long_enough)
    whole(release, nodes, 120)
    found = [r for r in failures(release.all_results(mark, BOTH)) if r.peer]
    assert not [r for r in found if bad not in r.pair]
    assert {r.pair for r in found if r.plane == "host"} >= {(bad, node) for node in nodes - {bad}}  # told afterwards
    cut_off = {pod["metadata"]["name"] for pod in release.pods("prober") if pod["spec"]["nodeName"] == bad}
    told = [line.text for pod, lines in release.log().items() for line in lines if pod in cut_off]
    assert any("probing continues with the last list" in text for text in told)


def test_api_server_away(release: Release, nodes: set[str]) -> None:
    """While the API server stops for a minute, each prober logs it once and keeps probing, and logs when it is back.

    The hub goes on, too, and blames nobody. The controllers stop as well, until each kubelet has renewed its lease:
    else they may see the old leases first, and take the pods of all nodes out of the Services for some seconds.
    """
    mark, control = release.log(), min(nodes)
    with faults.healed(), faults.frozen(control, CONTROLLERS):
        with faults.frozen(control, "kube-apiserver"):
            for node in nodes:
                for end in ("--dport", "--sport"):  # its kernel would go on answering
                    faults.drop(node, "FORWARD", *API, end, "6443")
            begun = datetime.now(UTC)
            time.sleep(MINUTE)  # nobody can be asked for a log meanwhile
            ended = datetime.now(UTC)

        def renewed() -> None:
            leases = items("leases", "--namespace", "kube-node-lease")
            assert all(datetime.fromisoformat(each["spec"]["renewTime"]) > ended for each in leases)

        eventually("every kubelet has renewed its lease", 60, renewed)

    def back() -> None:
        assert said(release, mark, "the API server answers again") == len(nodes)

    eventually("every prober has the API again", 90, back)
    hub.healthy(release)
    assert hub.blamed(release, begun.timestamp()) == []
    assert said(release, mark, "the API server does not answer") == len(nodes)
    found = [r for r in release.all_results(mark) if begun <= r.at <= ended]
    assert failures(found) == []
    rounds = Counter((*r.pair, r.family) for r in found if r.peer and r.plane == "pod" and r.probe == "TCP")
    assert {(source, target) for source, target, _family in rounds} == set(permutations(nodes, 2))
    assert min(rounds.values()) >= MINUTE // EVERY - 2, "not every round was made"


def said(release: Release, mark: Mark, *texts: str, component: str = "prober", without: Collection[str] = ()) -> int:
    """Return how many lines of the probers since a mark contain all of these words."""
    logs = release.log(component, without).items()
    since = (line.text for pod, lines in logs for line in lines[len(mark.get(pod, ())) :])
    return sum(all(text in line for text in texts) for line in since)


def test_starved(release: Release, nodes: set[str]) -> None:
    """If a prober's CPU is used up, none of its paths fails and none to it, and the hub names nothing.

    Comes before the tests with a Prometheus: that reads the metrics every second, and at this limit the answers alone
    would use up what the loop leaves.
    """
    usual = dict(release.values)  # for the tests after it
    small = {"prober.udpPackets": 0, "prober.intervalSeconds": 5, "prober.resources.limits.cpu": "50m"}
    release.install({**QUIET, AT_ONCE: "100%", **small})
    release.values = usual
    some_rounds(release, nodes, 2)
    hub.healthy(release)
    mark, since = release.log(BOTH), time.time()
    pod = release.pods("prober")[0]["metadata"]["name"]
    before = throttled(release, pod)
    with faults.spinning(release.namespace, pod):
        some_rounds(release, nodes, 7)
    assert throttled(release, pod) - before > 10, "it was not starved"
    assert hub.blamed(release, since) == []
    assert failures(release.all_results(mark, BOTH)) == []


def throttled(release: Release, pod: str) -> float:
    """Return the seconds for which the kernel has throttled a prober so far, by its own metric."""
    return release.metrics(pod)["smoker_prober_throttled_seconds_total"]


@pytest.fixture(scope="module")
def prometheus(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus with the chart's alerts, with shorter durations."""
    with watching(release, tmp_path_factory.mktemp("prometheus")) as prometheus:
        yield prometheus


@pytest.mark.timeout(1800)  # on a busy machine a rollout takes minutes
def test_quiet(release: Release, nodes: set[str], prometheus: Prometheus, tmp_path: Path) -> None:
    """A cordon, a drain and rollouts of the release, with a round every few seconds: no alert, no finding.

    Hardly a line says FAILED. A pod answers for five seconds after it has left; kube-proxy may take longer to follow.
    The drained node has no pod of the cluster's DNS, whose gap would appear as failures. It does not have the hub
    either, whose history ends with its pod.
    """
    release.install(QUIET)
    node = min(without_dns(nodes) - {pod["spec"]["nodeName"] for pod in release.pods("hub")})
    some_rounds(release, nodes, 3)
    hub.healthy(release)
    since = quiet_since(prometheus)
    with Following(release, tmp_path) as lines:
        kubectl("cordon", node)
        try:
            drain = ("--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=120s")
            kubectl("drain", node, *drain, seconds=130)
            some_rounds(release, nodes, 3)
        finally:
            kubectl("uncordon", node)
        for number in range(ROLLOUTS):
            keys = ("prober", *ECHOES)
            release.install({f"{key}.podAnnotations": {"example.com/rollout": str(number)} for key in keys})
            for kind in ("daemonset", "deployment"):
                for name in release.namespace.kubectl("get", kind, "--output=name").split():
                    release.namespace.kubectl("rollout", "status", name, "--timeout=120s", seconds=130)
            lines.follow()
        some_rounds(release, nodes, 3)
        written = lines.all()
        unmade = [text for text in written if UNMADE in text]
        failed = [text for text in written if " FAILED " in text and UNMADE not in text]
        good = sum(" SUCCESS " in text for text in written)
        print(f"{len(failed)} of {good + len(failed):,} probes failed in {ROLLOUTS} rollouts and a drain")
        print(f"{len(unmade)} more could not be made by their probers themselves")
        assert len(failed) <= max(FEW, good // MANY), failed
        assert len(unmade) <= max(FEW, good // 1_000), unmade
        assert good > 100 * ROLLOUTS
    hub.healthy(release)
    assert hub.blamed(release, since) == []
    assert prometheus.fired(since) == set()


def quiet_since(prometheus: Prometheus) -> float:
    """Return the present time, when Prometheus sees every prober and no alert fires or is pending.

    One may be pending of what was before: of the CPU limit of test_starved.
    """

    def nothing() -> None:
        assert len(prometheus.query('up{app_kubernetes_io_component=~"prober|host"} == 1')) >= 8
        settled(prometheus)

    eventually("Prometheus sees that all is well", 90, nothing)
    return time.time()


def test_not_ready(release: Release, nodes: set[str], prometheus: Prometheus) -> None:
    """After a node's kubelet hangs the node is NotReady, and its pods are no longer peers. No FAILED line, no alert."""
    bad = max(nodes)
    release.install(QUIET)
    whole(release, nodes)
    mark, since = release.log(BOTH), quiet_since(prometheus)
    with faults.frozen(bad, "kubelet"):

        def left() -> None:
            told = said(release, mark, "peers changed removed=", f"{bad}/pod", component=BOTH, without=[bad])
            assert told == 2 * (len(nodes) - 1)

        eventually(f"all others have heard that {bad} is not ready", 90, left)
        some_rounds(release, nodes - {bad}, 3, without=[bad])
    whole(release, nodes, 120)
    assert failures(release.all_results(mark, BOTH)) == []
    assert prometheus.fired(since) == set()


def test_pending(release: Release, nodes: set[str], prometheus: Prometheus) -> None:
    """A pod without its image has an address and gives no answer. It is not probed: no FAILED line, no alert."""
    release.install(QUIET)
    whole(release, nodes)
    mark, since = release.log(BOTH), quiet_since(prometheus)
    release.helm("upgrade", release.name, "charts/smoker", "--reuse-values", "--set", "prober.image.tag=nowhere")

    def pending() -> set[str]:
        waiting = [
            pod for pod in [*release.pods("prober"), *release.pods("host")] if pod["status"]["phase"] == "Pending"
        ]
        found = {(pod["spec"].get("nodeName"), pod["metadata"]["labels"][COMPONENT]) for pod in waiting}
        assert None not in {node for node, _component in found}, "a pod waits for its node"
        assert {component for _node, component in found} == set(BOTH.split("|"))
        return {node for node, _component in found}

    without = eventually("a pod of each plane waits for its image", 60, pending)
    some_rounds(release, nodes - without, 5, without)
    release.install()
    whole(release, nodes, 120)
    assert failures(release.all_results(mark, BOTH)) == []
    assert prometheus.fired(since) == set()


def test_two_peers(release: Release, nodes: set[str]) -> None:
    """With `mesh.peers=2` every node probes two others and is probed by two, over each plane."""
    release.install({**PACE, "mesh.peers": 2})

    def two_each() -> None:
        mark = release.log(BOTH)
        some_rounds(release, nodes, 3)
        pairs = {(*r.pair, r.plane) for r in release.all_results(mark, BOTH) if r.peer and r.node != r.peer}
        for plane in ("pod", "host", "pod-host", "host-pod"):
            ways = [(source, target) for source, target, way in pairs if way == plane]
            assert Counter(source for source, _ in ways) == dict.fromkeys(nodes, 2), plane
            assert Counter(target for _, target in ways) == dict.fromkeys(nodes, 2), plane

    eventually("each has two, once all have heard of all", 60, two_each)
