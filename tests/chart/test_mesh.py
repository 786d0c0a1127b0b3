"""The mesh: how probers find each other, their permissions, and where they answer, on the pod and host network."""

from __future__ import annotations

from typing import Any

import pytest

from .render import ECHOES, HOST, NO_MESH, Helm, HelmError, Rendered, merged, nested
from .selection import pods, selected

PORTS = {"tcp-echo": ("TCP", 8080), "udp-echo": ("UDP", 8081), "http-echo": ("TCP", 8082), "stamp": ("UDP", 8062)}
VARIABLES = {"tcp-echo": "PEER_TCP_PORT", "udp-echo": "PEER_UDP_PORT", "http-echo": "PEER_HTTP_PORT"}
VARIABLES |= {"stamp": "PEER_STAMP_PORT"}
PROBERS = ("prober", "host")
MOVED = {"tcp": 28080, "udp": 28081, "http": 28082, "stamp": 28062}


def ports(release: Rendered, component: str) -> dict[str, tuple[str, int]]:
    """Return a container's ports by name, including the admin port."""
    return {p["name"]: (p["protocol"], p["containerPort"]) for p in release.container(component)["ports"]}


def test_probers_may_only_read_endpoint_slices(helm: Helm) -> None:
    """Probers and the hub may read the EndpointSlices of their namespace; probers may also list only the DNS pods."""
    for values, name in (({}, "smoker-prober"), (HOST, "smoker-prober"), ({}, "smoker-hub")):
        release = helm.render(values, namespace="net")
        bindings = release.of_kind("ClusterRoleBinding")
        assert [each["name"] for o in bindings for each in o["subjects"]] == ["smoker-hub"]
        own = [one for kind in ("Role", "RoleBinding") for one in release.of_kind(kind)]
        assert len([one for one in own if one["metadata"]["namespace"] == "net"]) == 4
        role, binding = release.get("Role", name), release.get("RoleBinding", name)
        assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == "net"
        assert role["rules"] == [
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]}
        ]
        assert binding["roleRef"] == {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role",
            "name": role["metadata"]["name"],
        }
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": name, "namespace": "net"}]


def test_the_hub_may_only_read_nodes(helm: Helm) -> None:
    """The hub may read Nodes and nothing else of the cluster; with hub.watchNodes=false not even those."""
    release = helm.render(namespace="net")
    (role,), (binding,) = release.of_kind("ClusterRole"), release.of_kind("ClusterRoleBinding")
    assert role["rules"] == [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]}]
    assert role["metadata"]["name"] == binding["roleRef"]["name"] == "net-smoker-hub"
    assert "namespace" not in role["metadata"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "smoker-hub", "namespace": "net"}]
    without = helm.render({"hub": {"watchNodes": False}})
    assert not without.of_kind("ClusterRole", "ClusterRoleBinding")
    assert without.env("hub")["WATCH_NODES"] == "false"


def test_bandwidth(helm: Helm) -> None:
    """With bandwidth.enabled the probers in the pod network have its port, and may use one Lease."""
    release = helm.render(merged(HOST, {"bandwidth": {"enabled": True, "port": 28063}}), release="lungs")
    name = "lungs-bandwidth"
    assert release.get("Lease", name).keys() == {"apiVersion", "kind", "metadata"}
    rules = release.get("Role", "lungs-prober")["rules"]
    assert rules[1:] == [
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resourceNames": [name],
            "verbs": ["get", "update"],
        }
    ]
    found = [(release.env(each)["PEER_BANDWIDTH_PORT"], release.env(each)["BANDWIDTH_LEASE"]) for each in PROBERS]
    assert found == [("28063", name), ("0", "")]
    assert ports(release, "prober")["bandwidth"] == ("TCP", 28063)
    assert "bandwidth" not in ports(release, "host")
    for values in ({}, merged(NO_MESH, {"bandwidth": {"enabled": True}})):
        without = helm.render(values)
        assert not without.of_kind("Lease")
        assert without.env("prober")["PEER_BANDWIDTH_PORT"] == "0"


def test_policy_of_the_bandwidth(helm: Helm) -> None:
    """The NetworkPolicy opens its port between probers in both directions, and only with bandwidth.enabled."""
    for enabled in (True, False):
        release = helm.render({"networkPolicy": {"enabled": True}, "bandwidth": {"enabled": enabled}})
        spec = release.get("NetworkPolicy", "smoker-prober")["spec"]
        for direction in ("ingress", "egress"):
            opened = [each["port"] for rule in spec[direction] for each in rule.get("ports", [])]
            assert (8063 in opened) is enabled


def test_replicas_share_one_lease(helm: Helm) -> None:
    """Hubs that notify share one Lease, which they may make, read and update.

    One replica does so, too, because a rollout has two hubs. One that sends nothing has none. The chart does
    not make the Lease, because Argo CD leaves Leases out.
    """
    name, url = "lungs-hub", "http://x/"
    for values in (
        {"replicas": 2},
        {"notify": [{"type": "webhook", "url": url}]},
        *({"otlp": {endpoint: url}} for endpoint in ("endpoint", "logsEndpoint", "metricsEndpoint")),
        *(
            {"extraEnv": [{"name": f"OTEL_EXPORTER_OTLP_{variable}", "value": url}]}
            for variable in ("ENDPOINT", "LOGS_ENDPOINT", "METRICS_ENDPOINT")
        ),
    ):
        release = helm.render({"hub": values}, release="lungs")
        assert release.env("hub")["LEASE_NAME"] == name
        assert not release.of_kind("Lease")
        assert release.get("Role", "lungs-hub")["rules"][1:] == [
            {
                "apiGroups": ["coordination.k8s.io"],
                "resources": ["leases"],
                "resourceNames": [name],
                "verbs": ["get", "create", "update"],
            },
        ]
    assert len(helm.render().get("Role", "smoker-hub")["rules"]) == 1
    for silent in ({}, {"extraEnv": [{"name": "OTEL_SERVICE_NAME", "value": "hub"}]}):
        assert helm.render({"hub": silent}).env("hub")["LEASE_NAME"] == ""


def test_only_probers_and_hub_mount_a_token(helm: Helm) -> None:
    """Only probers and the hub mount a token, of an account that gives none to a pod that does not ask."""
    release = helm.render(HOST)
    assert release.get("ServiceAccount", "smoker-prober")["automountServiceAccountToken"] is False
    mounting = {name for name, pod in pods(release).items() if pod["spec"]["automountServiceAccountToken"]}
    accounts = {name: pods(release)[name]["spec"]["serviceAccountName"] for name in mounting}
    assert accounts == {"prober": "smoker-prober", "host": "smoker-prober", "hub": "smoker-hub"}


def test_without_a_mesh(helm: Helm) -> None:
    """Without a mesh nothing has a permission or a token, nothing finds probers, and only the admin port is open."""
    release = helm.render(NO_MESH)
    assert not release.of_kind("ServiceAccount", "Role", "RoleBinding")
    assert [o["metadata"]["name"] for o in release.of_kind("Service")] == ["smoker-server"]
    assert not any(pod["spec"]["automountServiceAccountToken"] for pod in pods(release).values())
    assert ports(release, "prober") == {"admin": ("TCP", 9464)}


@pytest.mark.parametrize(("component", "shift", "admin"), [("prober", 0, 9464), ("host", 10000, 19464)])
def test_ports_agree(helm: Helm, component: str, shift: int, admin: int) -> None:
    """Headless Service, container port and setting have one number, under the name that discovery uses."""
    release = helm.render(HOST)
    expected = {name: (protocol, number + shift) for name, (protocol, number) in PORTS.items()}
    assert ports(release, component) == {**expected, "admin": ("TCP", admin)}
    assert release.env(component)["ADMIN_PORT"] == str(admin)
    for name, (_, number) in expected.items():
        assert release.env(component)[VARIABLES[name]] == str(number)
    spec = release.get("Service", f"smoker-{component}")["spec"]
    assert spec["clusterIP"] == "None"
    assert selected({"matchLabels": spec["selector"]}, release) == {component}
    assert spec["ports"] == [
        {"name": name, "port": number, "targetPort": name, "protocol": protocol}
        for name, (protocol, number) in expected.items()
    ]


@pytest.mark.parametrize(("key", "component"), [("mesh", "prober"), ("hostNetwork", "host")])
def test_ports_follow_the_values(helm: Helm, key: str, component: str) -> None:
    """Ports can be changed, those of pods and those of nodes separately."""
    plain, moved = helm.render(HOST), helm.render(merged(HOST, nested(f"{key}.ports", MOVED)))
    (other,) = {"prober", "host"} - {component}
    assert sorted(number for _, number in ports(moved, component).values() if number > 20000) == sorted(MOVED.values())
    ours, theirs = moved.env(other), plain.env(other)
    assert ours.pop("ECHO_PORTS") != theirs.pop("ECHO_PORTS")  # it does not answer what comes from these ports
    assert ours == theirs
    assert ports(moved, other) == ports(plain, other)
    name = f"smoker-{component}"
    assert {p["port"] for p in moved.get("Service", name)["spec"]["ports"]} == set(MOVED.values())


@pytest.mark.parametrize("listen", ["nodeIP", "all"])
def test_addresses_on_the_node(helm: Helm, listen: str) -> None:
    """On the host network a prober listens only on the node's addresses, unless the value is `all`."""
    release = helm.render(merged(HOST, {"hostNetwork": {"listen": listen}}))
    wanted = {"name": "LISTEN_ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIPs"}}}
    found = [variable for variable in release.container("host")["env"] if variable["name"] == "LISTEN_ADDRESS"]
    assert found == ([] if listen == "all" else [wanted])
    assert not [v for v in release.container("prober")["env"] if v["name"] == "LISTEN_ADDRESS"]


def test_both_families(helm: Helm) -> None:
    """Peers have the address families of the echo Service."""
    for values in ({}, {"service": {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6", "IPv4"]}}):
        services = helm.render({**HOST, **values}).of_kind("Service")
        assert len(services) == 4
        assert len({(s["spec"]["ipFamilyPolicy"], str(s["spec"].get("ipFamilies"))) for s in services}) == 1


def test_host_network(helm: Helm) -> None:
    """By default no pod uses the host network.

    When enabled, one pod on each node does, and resolves names as others do.
    """
    assert not any("hostNetwork" in pod["spec"] for pod in pods(helm.render()).values())
    release = helm.render(HOST)
    on_node = {name: pod["spec"] for name, pod in pods(release).items() if "hostNetwork" in pod["spec"]}
    assert set(on_node) == {"host"}
    assert release.component("host")["kind"] == "DaemonSet"
    assert on_node["host"]["hostNetwork"] is True
    assert on_node["host"]["dnsPolicy"] == "ClusterFirstWithHostNet"


def test_host_is_a_prober(helm: Helm) -> None:
    """The prober on the host network equals the one in pods, on the same nodes, with the same update strategy."""
    release = helm.render(HOST)
    prober, host = release.component("prober")["spec"], release.component("host")["spec"]
    assert host["updateStrategy"] == prober["updateStrategy"]
    for field in ("tolerations", "nodeSelector", "securityContext", "terminationGracePeriodSeconds"):
        assert release.pod("host")["spec"][field] == release.pod("prober")["spec"][field]
    for field in ("image", "args", "resources", "securityContext", "startupProbe", "livenessProbe", "readinessProbe"):
        assert release.container("host")[field] == release.container("prober")[field]


def test_no_port_of_a_node_twice(helm: Helm) -> None:
    """By default the ports on a node differ from each other and from the ports of all pods."""
    release = helm.render(HOST)
    on_node = list(ports(release, "host").values())
    assert len(set(on_node)) == len(on_node) == 5
    assert not set(on_node) & {port for component in (*ECHOES, "prober") for port in ports(release, component).values()}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (nested("mesh.ports.http", 8080), r"mesh\.ports\.http: must differ from mesh\.ports\.tcp, both are TCP ports"),
        (
            nested("mesh.ports.stamp", 8081),
            r"mesh\.ports\.stamp: must differ from mesh\.ports\.udp, both are UDP ports",
        ),
        (nested("mesh.ports.tcp", 9464), r"adminPort: must differ from tcp and http of mesh\.ports"),
        (nested("mesh.ports.http", 9464), r"adminPort: must differ from tcp and http of mesh\.ports"),
        (
            nested("hostNetwork.ports.http", 18080),
            r"hostNetwork\.ports\.http: must differ from hostNetwork\.ports\.tcp, both are TCP ports",
        ),
        (
            nested("hostNetwork.ports.udp", 18062),
            r"hostNetwork\.ports\.stamp: must differ from hostNetwork\.ports\.udp, both are UDP ports",
        ),
        (
            nested("hostNetwork.adminPort", 18082),
            r"hostNetwork\.adminPort: must differ from tcp and http of hostNetwork\.ports",
        ),
        (
            merged(HOST, nested("prober.updateStrategy.rollingUpdate", {"maxSurge": 1, "maxUnavailable": 0})),
            r"prober\.updateStrategy\.rollingUpdate\.maxSurge: must be 0 with hostNetwork\.enabled",
        ),
        (merged(HOST, NO_MESH), r"hostNetwork\.enabled: needs mesh\.enabled, because without peers"),
    ],
)
def test_values_that_fail_on_nodes_are_refused(helm: Helm, values: dict[str, Any], message: str) -> None:
    """Values that would fail on the nodes are refused before installation, in a sentence with their names."""
    with pytest.raises(HelmError, match=message):
        helm.render(values)


def test_tcp_and_udp_may_share_a_number(helm: Helm) -> None:
    """TCP and UDP ports may have the same number, and so may a pod's port and a node's."""
    assert helm.render(merged(nested("mesh.ports.udp", 8080), nested("mesh.ports.stamp", 9464))).objects
    assert helm.render(merged(HOST, nested("hostNetwork.ports", {"tcp": 8080, "udp": 8080}))).objects


def test_a_prober_may_list_the_pods_of_the_dns_and_nothing_else_there(any_helm: Helm) -> None:
    """A Role in the DNS's namespace is bound to the probers' account. It is absent with each value that needs none."""
    for values, where in (({}, "kube-system"), ({"dns": {"replicas": {"namespace": "dns"}}}, "dns")):
        release = any_helm.render(values)
        role, binding = (release.get(kind, "default-smoker-prober") for kind in ("Role", "RoleBinding"))
        assert {role["metadata"]["namespace"], binding["metadata"]["namespace"]} == {where}
        assert role["rules"] == [
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]}
        ]
        assert binding["roleRef"]["name"] == "default-smoker-prober"
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "smoker-prober", "namespace": "default"}]
    for without in (
        {"dns": {"name": ""}},
        {"dns": {"replicas": {"service": ""}}},
        {"rbac": {"create": False}},
        NO_MESH,
    ):
        assert all(one["metadata"]["namespace"] == "default" for one in any_helm.render(without).of_kind("Role"))
