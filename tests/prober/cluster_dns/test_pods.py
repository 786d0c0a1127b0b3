"""The pods behind the DNS Service: which are probed, their names, and what happens without the API server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from smoker_diagnosis.state import decode
from smoker_kube.api import Api
from smoker_kube.slices import SERVICE
from smoker_kube.watch import Watch
from smoker_prober.cluster_dns.pods import MOST, DnsPod, DnsPods, chosen, endpoints, pods
from smoker_prober.config.cluster_dns import NAME, by_pod, by_service, full_name
from smoker_prober.config.service import Hosts, hosts
from smoker_prober.network import resolv_conf
from smoker_prober.prober import Prober
from smoker_prober.probes import dns_options
from smoker_prober.result import Outcome
from smoker_prober.target import Path as PathTo
from smoker_prober.target import Target
from tests.conftest import eventually
from tests.kube.fake_api import Step, answer, faking, hold, page
from tests.prober.probes.name_server import answer as dns_answer
from tests.prober.probes.name_server import serving
from tests.prober.targets import HOST, Made, settings_of, variables_for

UDP = {"name": "dns", "protocol": "UDP", "port": 53}


@pytest.fixture(autouse=True)
def _resolv_conf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolv_conf, "read", lambda: resolv_conf.ResolvConf((HOST,), "cluster.test"))


def endpoint(node: str, pod: str, address: str, **conditions: bool) -> dict[str, Any]:
    """Return one endpoint of a slice."""
    about = {"targetRef": {"kind": "Pod", "name": pod}, "zone": f"zone-{node}", "conditions": conditions}
    return {"addresses": [address], "nodeName": node, **about}


def slice_of(*found: Any, name: str = "kube-dns-x", family: str = "IPv4", ports: Any = (UDP,)) -> dict[str, Any]:
    """Return an EndpointSlice of kube-dns."""
    labels = {SERVICE: "kube-dns"}
    about = {"name": name, "labels": labels}
    return {"metadata": about, "addressType": family, "ports": list(ports), "endpoints": list(found)}


def found_in(*slices: Any) -> list[DnsPod]:
    return pods(endpoints(each) for each in slices)


def test_each_ready_pod_is_asked_at_its_own_port() -> None:
    """A ready pod is probed by its address and port. One that is not ready or terminating is not probed."""
    ports = [{"name": "dns-tcp", "protocol": "TCP", "port": 1}, {**UDP, "port": 5353}]
    one = slice_of(
        endpoint("node-1", "coredns-a", "10.0.1.1"),
        endpoint("node-2", "coredns-b", "10.0.2.1", ready=False),
        endpoint("node-3", "coredns-c", "10.0.3.1", terminating=True),
        endpoint("node-4", "coredns-d", "10.0.4.1", ready=True, serving=True),
        ports=ports,
    )
    assert found_in(one) == [
        DnsPod("node-1", "zone-node-1", "coredns-a", "10.0.1.1", 5353),
        DnsPod("node-4", "zone-node-4", "coredns-d", "10.0.4.1", 5353),
    ]


def test_two_pods_of_a_node_and_two_families_of_a_pod() -> None:
    """The second pod of a node has a number, the same for every prober. A pod counts once, by its IPv4 address."""
    four = slice_of(endpoint("node-1", "coredns-b", "10.0.1.2"), endpoint("node-1", "coredns-a", "10.0.1.1"))
    six = slice_of(
        endpoint("node-1", "coredns-a", "fd00::1"), endpoint("node-2", "coredns-c", "fd00::2"), family="IPv6"
    )
    wanted = [("node-1", "10.0.1.1"), ("node-1/2", "10.0.1.2"), ("node-2", "fd00::2")]
    for order in ((four, six), (six, four)):
        assert [(each.place, each.address) for each in found_in(*order)] == wanted


@pytest.mark.parametrize(
    "broken",
    [None, [], {}, {"endpoints": 1}, slice_of(1, {}, {"addresses": [2]}), slice_of(endpoint("n", "p", "x"))],
)
def test_no_content_of_a_slice_raises(broken: Any) -> None:
    """Malformed content of a slice gives no pods and raises nothing."""
    assert found_in(broken) == []
    assert found_in(slice_of(endpoint("node-1", "a", "10.0.0.1"), ports=[{"port": 53}, 7])) == []


def test_the_number_of_pods_that_a_prober_asks_is_bounded() -> None:
    """Each prober probes at most `MOST` pods, and over all nodes every pod is probed."""
    listed = [DnsPod(f"node-{n}", "", f"coredns-{n}", f"10.0.0.{n}", 53) for n in range(40)]
    asked = Counter(pod.pod for n in range(100) for pod in chosen(listed, f"node-{n}"))
    assert sum(asked.values()) == 100 * MOST
    assert len(asked) == len(listed)
    assert max(asked.values()) < 100 // 2
    assert chosen(listed[:3], "node-1") == listed[:3]


def test_what_is_asked() -> None:
    """The query is the API server's name in the cluster's domain, A and AAAA together.

    Paths name the Service, or the pod's node.
    """
    options = dns_options.Options("kubernetes.default.svc.cluster.test.", ("A", "AAAA"))
    assert by_service("kubernetes.default", "pod") == Target(
        "dns", HOST, 53, PathTo("dns", "kubernetes.default", "service"), options
    )
    assert by_service("kubernetes.default", "host").path.plane == "host-service"
    pod = by_pod("kubernetes.default", "host", place="node-2", address="10.0.2.1", port=1053, zone="b")
    assert pod == Target("dns", "10.0.2.1", 1053, PathTo("dns", "node-2", "host-pod", "", "b"), options)
    assert full_name("example.org.") == "example.org."


def test_the_setting() -> None:
    """By default there is no query: only a cluster has such a DNS."""
    assert not any(target.probe == "dns" for targets in hosts(settings_of({})).values() for target in targets)
    asked = hosts(settings_of({"DNS_NAME": "kubernetes.default"}))["dns service"]
    assert asked == (by_service("kubernetes.default", "pod"),)
    assert (NAME("Example.org."), NAME("kubernetes.default")) == ("example.org.", "kubernetes.default")


class Watched:
    """DNS pods with an API server that follows a script."""

    def __init__(self, folder: Path, url: str) -> None:
        self.hosts: list[Hosts] = []
        self.pods: list[Mapping[str, str]] = []
        self.settings = settings_of(
            {"DNS_NAME": "kubernetes.default", "DNS_SERVICE": "kube-dns", "NODE_NAME": "node-1"}
        )
        self.work = DnsPods(self.settings, Api(url, token=folder / "token"), self._set_hosts)

    def _set_hosts(self, found: Hosts, names: Mapping[str, str]) -> None:
        self.hosts.append(found)
        self.pods.append(names)


def test_pods_come_from_the_api_server(tmp_path: Path, records: list[str]) -> None:
    """The list in the DNS's namespace makes the targets, and one line says how many there are."""
    listed = page(slice_of(endpoint("node-1", "coredns-a", "10.0.1.1"), endpoint("node-2", "coredns-b", "10.0.2.1")))
    with faking() as fake:
        api = fake(listed)
        watched = Watched(tmp_path, api.url)
        watched.work.start()
        eventually("it watches them", lambda: len(api.requests) == 2)
        watched.work.close()
    assert api.requests[0].path == "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices"
    assert api.requests[0].query["labelSelector"] == "kubernetes.io/service-name in (kube-dns)"
    (found,) = watched.hosts
    assert {name: targets[0].host for name, targets in found.items()} == {
        "dns node-1": "10.0.1.1",
        "dns node-2": "10.0.2.1",
    }
    assert watched.pods == [{"node-1": "kube-system/coredns-a", "node-2": "kube-system/coredns-b"}]
    assert records == ["INFO DNS pods changed {'service': 'kube-system/kube-dns', 'known': 2}"]


class Listing:
    """A watch that lists no slice, twice, and then one with a pod."""

    def __init__(self, *_: object, changed: Callable[[Mapping[str, Any]], None], **__: object) -> None:
        self._changed = changed

    def start(self) -> None:
        for slices in ({}, {}, {"kube-dns-x": endpoints(slice_of(endpoint("node-1", "coredns-a", "10.0.1.1")))}):
            self._changed(slices)

    def close(self) -> None:
        """Do nothing."""


def test_a_service_without_pods_is_said_once(
    tmp_path: Path, records: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the DNS has another Service, one line names the value to set; a pod that comes later is probed."""
    monkeypatch.setattr("smoker_prober.cluster_dns.pods.Watch", Listing)
    watched = Watched(tmp_path, "http://127.0.0.1")
    watched.work.start()
    watched.work.close()
    none, *others = records
    assert none.startswith("WARNING no ready DNS pods: ")
    assert "dns.replicas" in none
    assert "kube-system/kube-dns" in none
    assert others == ["INFO DNS pods changed {'service': 'kube-system/kube-dns', 'known': 1}"]
    assert watched.hosts[-1].keys() == {"dns node-1"}


def test_a_new_plan_changes_names_and_pods(tmp_path: Path) -> None:
    """A new name is queried at the same pods, new pods are listed again, and without a name none is queried."""
    first = page(slice_of(endpoint("node-1", "coredns-a", "10.0.1.1")))
    second = page(slice_of(endpoint("node-2", "other-b", "10.0.2.1")))
    with faking() as fake:
        api = fake(first, hold, second)
        watched = Watched(tmp_path, api.url)
        watched.work.start()
        eventually("the pods are known", lambda: watched.hosts)
        plan = watched.settings.plan
        named = replace(plan, dns=replace(plan.dns, name="web.shop"))
        watched.work.set_plan(named)
        assert watched.hosts[-1]["dns node-1"][0].options.name == "web.shop.svc.cluster.test."
        others = replace(named.dns.replicas, namespace="dns")
        watched.work.set_plan(replace(plan, dns=replace(named.dns, replicas=others)))
        assert watched.hosts[-1] == {}
        eventually("it watches the other pods", lambda: len(api.requests) == 4)
        assert watched.pods[-1] == {"node-2": "dns/other-b"}
        watched.work.set_plan(replace(plan, dns=replace(named.dns, name="")))
        watched.work.close()
    assert watched.hosts[-1] == {}


@pytest.mark.parametrize("script", [[answer(403)] * 3])
def test_a_missing_right_is_logged_once(
    tmp_path: Path, records: list[str], script: list[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repeated 403 is one line. Everything else continues, and no pod is probed."""
    with faking() as fake:
        api = fake(*script)
        watched = Watched(tmp_path, api.url)
        monkeypatch.setattr("smoker_prober.cluster_dns.pods.Watch", partial(Watch, pause=lambda _seconds: None))
        watched.work.start()
        eventually("it asks once more", lambda: len(api.requests) == len(script) + 1)
        watched.work.close()
    assert watched.hosts == []
    warnings = [line for line in records if line.startswith("WARNING")]
    assert len(warnings) == 1
    assert "EndpointSlices in kube-system, which list the DNS pods: its Role is missing or not bound" in warnings[0]
    assert "the DNS is asked by its Service" in warnings[0]


def test_the_state_says_which_pod_failed_and_which_query(tmp_path: Path) -> None:
    """The hub reads from the state the outcome, the pod by place, and look-ups that were half answered."""

    def half(query: Any) -> bytes | None:
        return dns_answer(query) if query.question[0].rdtype == 1 else None

    settings = settings_of(variables_for({}, timeout=0.3) | {"TEST_INTERVAL": "0.5"})
    with serving(udp=half) as (port, _):
        made = Made(settings)
        pod = by_pod("kubernetes.default", "pod", place="node-2", address=HOST, port=port)
        made.store.dns_pods = {"node-2": "kube-system/coredns-b"}
        _probe_twice(made.prober, {"dns node-2": (pod,)}, made)
    state = decode(made.store.document()[1])
    (path,) = [each for each in state.paths if each.role == "dns"]
    assert state.dns_pods == {"node-2": "kube-system/coredns-b"}
    assert (path.target, path.plane, path.probe, path.last) == ("node-2", "pod", "dns", Outcome.TIMEOUT)
    assert path.partly >= 1


def _probe_twice(prober: Prober, found: Hosts, made: Made) -> None:
    """Run rounds until a failure counts: the first failures of a new pod do not."""
    prober.set_peers(found)
    prober.start()
    try:
        eventually("a result counts", lambda: made.store.snapshot().paths[0].last)
    finally:
        prober.close()
        prober.drain(1.0)
