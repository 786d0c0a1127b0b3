"""What the paths to the DNS servers show: a broken pod by name, a node that reaches none, a race."""

from __future__ import annotations

import msgspec
import pytest

from smoker_diagnosis.finding import Finding
from smoker_diagnosis.text import lines
from tests.diagnosis.mesh import AT, Cluster, Link, Where, named, nodes

PODS = ("node-2", "node-5")


def mesh(*targets: str, count: int = 8) -> Cluster:
    """Return a mesh with DNS pods."""
    return Cluster(nodes(count), dns=targets or PODS)


def to(*targets: str) -> Where:
    """Return the paths to these DNS pods."""
    return lambda link: link.target in targets


def by_service(link: Link) -> bool:
    """Return whether the look-up uses the Service."""
    return link.plane.endswith("service")


def text_of(finding: Finding) -> str:
    return "\n".join(lines(finding))


def test_healthy_dns_pods_yield_no_finding() -> None:
    """DNS paths that work are neither a finding nor a target."""
    assert mesh().findings() == []


@pytest.mark.parametrize("rounds", [2, 3])
def test_a_broken_pod_is_named_with_its_node(rounds: int) -> None:
    """After two failures in a row the finding names the node and the pod, and says that the other pod works."""
    found = mesh().fail_dns(to("node-5"), rounds=rounds).findings()
    assert named(found) == [("dns", "node", ("node-5",), "dns_replica")]
    assert found[0].pod == "kube-system/coredns-node-5"
    text = text_of(found[0])
    assert "FAULT node-5: the cluster DNS pod coredns-node-5 there does not answer" in text
    assert "16 of 16 DNS paths fail (no answer); all 16 comparable DNS paths work" in text
    assert "next: kubectl describe pod --namespace kube-system coredns-node-5" in text


def test_a_single_failure_is_no_finding() -> None:
    """One round in which a pod did not answer, as when it is replaced, names nothing."""
    assert mesh().fail_dns(to("node-5"), rounds=1).findings() == []


def test_a_pod_that_answers_with_errors() -> None:
    """If a pod answers with errors, the sentence says so and does not call it silent."""
    found = mesh().fail_dns(to("node-5"), outcome="resolve_error").findings()
    assert "the cluster DNS pod coredns-node-5 there answers with an error" in text_of(found[0])


def test_one_pod_of_two_on_a_node() -> None:
    """Two pods on one node have different names."""
    found = mesh("node-2", "node-2/2").fail_dns(to("node-2/2")).findings()
    assert named(found) == [("dns", "node", ("node-2",), "dns_replica")]
    assert found[0].pod == "kube-system/coredns-node-2/2"


def test_a_broken_pod_explains_look_ups_that_fail_here_and_there() -> None:
    """The failing look-ups of names are not a second finding, and no node is named for them."""
    broken = mesh().fail_dns(to("node-5")).fail_dns(by_service, rounds=1)
    broken.fail_services(["node-1", "node-3", "node-4", "node-7"], ["udp"], rounds=1, outcome="resolve_error")
    assert named(broken.findings()) == [("dns", "node", ("node-5",), "dns_replica")]


def test_the_only_pod() -> None:
    """The only DNS pod is named, too."""
    found = mesh("node-5").fail_dns(lambda _link: True).fail_services(nodes(8), outcome="resolve_error").findings()
    assert [(each.kind, each.layer) for each in found] in ([("dns", "dns")], [("dns", "dns_replica")])


def test_all_pods() -> None:
    """If none of several pods answers, one finding names the whole DNS."""
    found = mesh().fail_dns(lambda _link: True).findings()
    assert named(found) == [("dns", "all", (), "dns")]


def test_a_node_that_reaches_no_pod() -> None:
    """If one node reaches no DNS pod, the node is named and no pod."""
    found = mesh().fail_dns(lambda link: link.source == "node-7").findings()
    assert named(found) == [("dns", "node", ("node-7",), "dns")]


def test_the_pods_of_a_node_that_reach_none() -> None:
    """The pods of a node can be cut off from the DNS while the node is not."""
    found = mesh().fail_dns(lambda link: link.source == "node-7" and not link.plane.startswith("host")).findings()
    assert named(found) == [("dns", "node", ("node-7",), "dns")]


def asked(cluster: Cluster, where: Where, ago: float) -> Cluster:
    """Let the last look-up of the paths in `where` be `ago` seconds old."""
    for link, state in cluster.to_dns.items():
        if where(link):
            cluster.to_dns[link] = msgspec.structs.replace(state, at=AT - ago)
    return cluster


@pytest.mark.parametrize(("ago", "awaits"), [(49.0, ()), (51.0, ("dns_pods",)), (61.0, ())])
def test_look_ups_that_fail_at_random_await_the_pods(ago: float, awaits: tuple[str, ...]) -> None:
    """A pod that was not asked since may be the broken one, unless its next result is overdue."""
    cluster = asked(mesh(), to(*PODS), ago)
    cluster.fail_services(nodes(5), ["udp", "tcp"], rounds=2, outcome="resolve_error")
    (found,) = cluster.findings()
    assert (found.scope.kind, found.layer, found.awaits) == ("all", "dns", awaits)


def test_look_ups_that_fail_at_random_await_the_second_failure_of_a_pod() -> None:
    """A pod that has failed once on each path is asked again in seconds."""
    cluster = mesh().fail_dns(to("node-5"), rounds=1)
    cluster.fail_services(nodes(5), ["udp", "tcp"], rounds=2, outcome="resolve_error")
    (found,) = cluster.findings()
    assert (found.scope.kind, found.layer, found.awaits) == ("all", "dns", ("dns_pods",))


@pytest.mark.parametrize(("ago", "awaits"), [(49.0, ()), (51.0, ("dns_pods",))])
def test_a_broken_pod_awaits_an_answer_of_the_others(ago: float, awaits: tuple[str, ...]) -> None:
    """Until another pod has answered somebody since, the whole DNS may be down."""
    (found,) = asked(mesh().fail_dns(to("node-5"), rounds=2), to("node-2"), ago).findings()
    assert (found.layer, found.awaits) == ("dns_replica", awaits)
    answered = asked(mesh().fail_dns(to("node-5"), rounds=2), to("node-2"), 51.0)
    (found,) = asked(answered, lambda link: link[:2] == ("node-1", "node-2"), 15.0).findings()
    assert found.awaits == ()


def test_the_whole_dns_awaits_nothing() -> None:
    """Where every look-up fails, no pod can change the name."""
    cluster = asked(mesh(), to(*PODS), 51.0).fail_services(nodes(8), outcome="resolve_error")
    assert [(each.layer, each.awaits) for each in cluster.findings()] == [("dns", ())]


def test_look_ups_that_fail_beside_a_broken_pod_are_not_unexplained() -> None:
    """Now and then a node's look-ups meet the broken pod several times in a row."""
    cluster = mesh().fail_dns(to("node-5"))
    cluster.fail_services(["node-1", "node-3"], ["udp"], rounds=4, outcome="resolve_error")
    assert [each.kind for each in cluster.findings()] == ["dns"]


def test_a_dead_node_does_not_blame_its_dns_pod() -> None:
    """A fault of the network is not reported again as a fault of the DNS."""
    dead = mesh().fail(lambda link: link.touches("node-5")).fail_dns(lambda link: link.touches("node-5"))
    dead.fail_services(["node-5"])
    assert named(dead.findings()) == [("fault", "node", ("node-5",), "network")]


def test_a_broken_pair_of_nodes_does_not_blame_a_dns_pod() -> None:
    """The DNS pod at one end of a broken pair is not named, because it answers all other nodes."""
    broken = mesh().fail(lambda link: link.between("node-1", "node-5"))
    broken.fail_dns(lambda link: (link.source, link.target) == ("node-1", "node-5"))
    assert all(kind != "dns" for kind, *_ in named(broken.findings()))


def test_failing_peers_clear_the_dns_pod() -> None:
    """If peers stop answering at the same moment, the DNS pod is not named, although the node is not named yet."""
    dying = mesh().fail(lambda link: link.touches("node-5"), ["udp"], rounds=1).fail_dns(to("node-5"), rounds=2)
    assert all(each.layer != "dns_replica" for each in dying.findings())


def test_a_node_whose_peers_beside_the_pods_fail_is_not_cut_off_from_the_dns() -> None:
    """If peers on the nodes of the DNS pods fail, too, no finding names the DNS, also for a young fault."""
    beside = [("node-7", node, "pod") for node in PODS]
    cut = mesh().fail(lambda link: link[:3] in beside, ["udp"], rounds=1)
    cut.fail_dns(lambda link: link.source == "node-7" and not link.plane.startswith("host"), rounds=2)
    assert all(kind != "dns" for kind, *_ in named(cut.findings()))
