from __future__ import annotations

from smoker_prober.arguments import parser

from .render import ALL, HOST, NO_HUB, NO_MESH, Helm

#: What a prober needs that stays, answers and has peers; one round does not.
OF_RUN = {
    "TARGETS",
    "PROBE_API_SERVER",
    "DNS_NAME",
    "DNS_SERVICE",
    "DNS_NAMESPACE",
    "LINGER",
    "NETWORK",
    "CLUSTER_NAME",
    "DISCOVERY",
    "NAMESPACE",
    "MESH_PEERS",
    "ANSWER_RATE",
    "PEER_BANDWIDTH_PORT",
    "BANDWIDTH_LEASE",
    "MAX_CONNECTIONS",
    "MAX_CONNECTIONS_PER_CLIENT",
    *(f"PEER_{what}" for what in ("SERVICE", "HOST_SERVICE", "TCP_PORT", "UDP_PORT", "HTTP_PORT", "STAMP_PORT")),
}


def test_the_test_pod_stays_readable(helm: Helm) -> None:
    """`helm test` runs a Pod of a fixed name, which only the next test deletes: its log stays readable."""
    for values, name in (({}, "smoker-test"), (ALL, "lungs-test")):
        annotations = helm.render(values).get("Pod", name)["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == "test"
        assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation"


def test_no_other_hooks(helm: Helm) -> None:
    """Only the test is a hook: everything else is upgraded and uninstalled with the release."""
    hooks = [o["kind"] for o in helm.render(ALL).objects if "helm.sh/hook" in o["metadata"].get("annotations", {})]
    assert hooks == ["Pod"]


def test_one_round_of_the_prober(helm: Helm) -> None:
    """The test is the prober itself, image and settings, run once and never restarted."""
    for values in ({}, ALL):
        release = helm.render(values)
        test, prober = release.container("test"), release.container("prober")
        assert test["image"] == prober["image"]
        assert test["resources"] == prober["resources"]
        ours = {**release.env("prober"), "SERVER_HOST": ""}
        assert {**release.env("test"), "SERVER_HOST": ""} == {k: v for k, v in ours.items() if k not in OF_RUN}
        assert release.component("test")["spec"]["restartPolicy"] == "Never"
        assert not {"startupProbe", "livenessProbe", "readinessProbe", "ports"} & set(test)


def test_own_service(helm: Helm) -> None:
    """The test probes this release's own Service, whatever the probers probe."""
    release = helm.render({"prober": {"serverHost": "echo.example.com"}})
    assert release.env("prober")["SERVER_HOST"] == "echo.example.com"
    assert release.env("test")["SERVER_HOST"] == "smoker-server"


def test_the_test_asks_the_hub(helm: Helm) -> None:
    """The test then asks the hub until the mesh is whole; without a mesh there is no hub."""
    asks = ["once", "--settle", "10", "--no-targets", "--wait", "--hub"]
    for values in ({}, HOST):
        release = helm.render(values)
        assert release.container("test")["args"] == [*asks, "smoker-hub:8083"]
        assert [volume["name"] for volume in release.pod("test")["spec"]["volumes"]] == ["plan"]
    assert helm.render({"hub": {"port": 9083}}, release="lungs").container("test")["args"] == [*asks, "lungs-hub:9083"]
    assert helm.render(NO_MESH).container("test")["args"] == asks[:4]


def test_helm_test_passes_credentials_to_a_hub_with_a_login(helm: Helm) -> None:
    """The test pod mounts the hub's Secret, and no variable or argument contains any part of it."""
    release = helm.render({"hub": {"auth": {"existingSecret": "smoker-login"}}})
    test = release.container("test")
    assert test["args"][-2:] == ["--hub-auth", "/etc/smoker/auth"]
    (_plan, volume), (_file, mount) = release.pod("test")["spec"]["volumes"], test["volumeMounts"]
    assert volume == {"name": "auth", "secret": {"secretName": "smoker-login"}}
    assert mount == {"name": "auth", "mountPath": "/etc/smoker/auth", "readOnly": True}


def test_without_a_hub_the_test_asks_the_probers(helm: Helm) -> None:
    """Without a hub the test asks the probers, on the admin ports of both networks, until everything works."""
    once, wait = ["once", "--settle", "10", "--no-targets"], ["--wait"]
    pods, hosts = [*wait, "--mesh", "smoker-prober:9464"], ["--mesh", "smoker-host:19464"]
    assert helm.render(NO_HUB).container("test")["args"] == [*once, *pods]
    assert helm.render({**HOST, **NO_HUB}).container("test")["args"] == [*once, *pods, *hosts]
    ports = {"adminPort": 9000, "hostNetwork": {"enabled": True, "adminPort": 9001}, **NO_HUB}
    moved = helm.render(ports, release="lungs")
    assert moved.container("test")["args"] == [*once, *wait, "--mesh", "lungs-prober:9000", "--mesh", "lungs-host:9001"]


def test_tolerated_findings_reach_the_command(helm: Helm) -> None:
    """The hub or the probers are asked without the tolerated kinds; without a mesh there is nothing to tolerate."""
    tolerate = {"test": {"tolerate": ["loss"]}}
    for values, asks in (({}, ["--hub", "smoker-hub:8083"]), (NO_HUB, ["--mesh", "smoker-prober:9464"])):
        arguments = helm.render({**values, **tolerate}).container("test")["args"]
        assert arguments[-4:] == [*asks, "--tolerate", "loss"]
        assert parser().parse_args(arguments).tolerate == ["loss"]
    assert "--tolerate" not in helm.render({**NO_MESH, **tolerate}).container("test")["args"]


def test_not_on_every_node(helm: Helm) -> None:
    """The test pod does not tolerate what probers do: it must not be bound to a node that is down."""
    assert "tolerations" not in helm.render().pod("test")["spec"]
