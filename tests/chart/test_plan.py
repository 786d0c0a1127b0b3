"""The plan of the probers: a ConfigMap that a running prober reads again when it changes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from smoker_prober.config.load import read
from smoker_prober.config.plan import Plan, differences, keys

from .render import ALL, HOST, NO_MESH, Helm, HelmError, merged
from .schema import SCHEMA, entry, resolved
from .values_table import CHART


def plan_of(helm: Helm, values: dict[str, Any], release: str = "smoker") -> Plan:
    """Return the plan of a release's probers, and check that it has no mistake."""
    (found,) = (
        o for o in helm.render(values, release=release).of_kind("ConfigMap") if "plan.yaml" in o.get("data", ())
    )
    assert found["metadata"]["name"] == f"{values.get('fullnameOverride') or release}-plan"
    plan, mistakes = read(found["data"]["plan.yaml"].encode())
    assert mistakes == []
    return plan


DNS = ("dns.name", "dns.replicas.service")
#: The values that set a key of the plan, whose limits are those of the key.
VALUES = {
    "prober.intervalSeconds": "interval",
    "prober.timeoutSeconds": "timeout",
    "prober.latency": "latency",
    "prober.trace": "trace",
    "prober.probes": "service.probes",
    "prober.udpPackets": "probes.udp.packets",
    "prober.mtuIntervalSeconds": "probes.udp.mtuInterval",
    "prober.flows": "probes.udp.flows",
    "prober.keptFlow": "probes.udp.keptFlow",
    "prober.probeApiServer": "apiServer",
    "mesh.peers": "mesh.peers",
    "bandwidth.enabled": "bandwidth.enabled",
    "bandwidth.intervalSeconds": "bandwidth.every",
    "bandwidth.bytes": "bandwidth.bytes",
    "bandwidth.durationSeconds": "bandwidth.duration",
}
#: Keys of the plan whose values say more than the key: names, ports, levels and targets.
OTHER = ("service.host", "service.ports", "mesh.probes", "logLevel", "dns", "targets")


def limits(node: dict[str, Any]) -> dict[str, Any]:
    """Return what a part of a schema allows. Of a duration that is the number of seconds."""
    plain = resolved(node)
    plain = next((each for each in plain.get("anyOf", ()) if each.get("type") == "number"), plain)
    of = {name: plain[name] for name in ("minimum", "maximum", "enum") if name in plain}
    return of | ({"items": plain["items"]["enum"]} if "items" in plain else {})


@pytest.mark.parametrize(("value", "key"), VALUES.items())
def test_limits_of_values(value: str, key: str) -> None:
    """A value of the chart has the limits and the words of the key of the plan that it sets."""
    assert limits(entry(value)) == limits(entry_of_plan(key))


def entry_of_plan(key: str) -> dict[str, Any]:
    """Return what the schema of the plan says of a dotted key."""
    node: dict[str, Any] = SCHEMA["definitions"]["plan"]
    for step in key.split("."):
        node = node["properties"][step]
    return node


def test_every_key_of_the_plan_has_a_value() -> None:
    """Only the options of targets' probes are keys that no value sets; `prober.config` sets them."""
    planned = {key.name for key in keys() if not key.name.startswith("probes.") or key.name.startswith("probes.udp.")}
    assert planned - {name for name in planned if name.startswith(OTHER)} == set(VALUES.values())


def test_the_default_plan(any_helm: Helm) -> None:
    """By default the plan is that of an empty file, except for the Service's name, the cluster's DNS and API server."""
    assert differences(plan_of(any_helm, {}), Plan()) == [*DNS, "apiServer"]
    assert differences(plan_of(any_helm, NO_MESH, "lungs"), Plan()) == ["service.host", *DNS]


def test_each_value_reaches_the_plan(any_helm: Helm) -> None:
    """Each value of the plan reaches it; `prober.config` overrides them, and its targets follow the others."""
    plan = plan_of(any_helm, ALL)
    assert (plan.interval, plan.timeout, plan.mesh.peers, plan.log_level) == (10.0, 1.5, 5, "SUCCESS")
    assert list(plan.targets) == ["api", "cert", "names", "web", "page"]
    assert (plan.targets["names"].interval, plan.targets["page"].timeout) == (60.0, 1.0)
    assert plan.targets["page"].options.path == plan.probes.http.path == "/livez"
    over = {"latency": "duration", "service": {"probes": ["tcp"]}}
    plan = plan_of(any_helm, {"prober": {"config": over}})
    assert (plan.latency, plan.service.probes, plan.mesh.probes) == ("duration", ("tcp",), ("tcp", "udp", "http"))


def test_the_volume(helm: Helm) -> None:
    """Probers and the test pod mount the whole ConfigMap, because a file by subPath never changes.

    They have no checksum.
    """
    release = helm.render(HOST)
    for component in ("prober", "host", "test"):
        (volume,) = release.pod(component)["spec"]["volumes"]
        (mount,) = release.container(component)["volumeMounts"]
        assert volume == {"name": "plan", "configMap": {"name": "smoker-plan"}}
        assert mount == {"name": "plan", "mountPath": "/etc/smoker/plan", "readOnly": True}
        assert release.env(component)["CONFIG_FILE"] == "/etc/smoker/plan/plan.yaml"
    assert "annotations" not in release.pod("prober")["metadata"]


def test_variables_that_override_the_plan_are_refused(helm: Helm) -> None:
    """No pod of a prober has a variable that overrides the plan; extraEnv may not, and names the value to use."""
    planned = {key.variable for key in keys() if key.variable}
    for component in ("prober", "host", "test"):
        assert not {one["name"] for one in helm.render(HOST).container(component)["env"]} & planned
    use = yaml.safe_load((CHART / "probes.yaml").read_text())["variables"]
    assert use.keys() == planned
    assert {use["TEST_INTERVAL"], use["TCP_PORT"], use["HTTP_PORT"], use["LOG_LEVEL"], use["DNS_SERVICE"]} == {
        "prober.intervalSeconds",
        "tcpEcho.port",
        "httpEcho.port",
        "prober.log.level",
        "dns.replicas.service",
    }
    for variable, value in use.items():
        with pytest.raises(HelmError, match=f"extraEnv: {variable} wins over the plan; use the value {value}"):
            helm.render({"prober": {"extraEnv": [{"name": variable, "value": "1"}]}})


def test_ports_of_targets(helm: Helm) -> None:
    """The policy lets probers reach the ports of all targets over their transports, by URL, by probe or by port."""
    targets = {
        "page": "https://h/",
        "api": "tcp://h:6443",
        "names": {"probe": "dns", "host": "h"},
        "certificate": {"url": "tls://h"},
        "other": {"probe": "connect", "host": "h", "port": 7},
    }
    policy = {"enabled": True, "apiPorts": [], "dnsPorts": []}  # these have ports of targets, too
    values = {"networkPolicy": policy, "prober": {"targets": targets, "trace": False}}
    before, after = (set(ports(helm, each)) for each in (merged(values, {"prober": {"targets": None}}), values))
    expected = {("TCP", 443), ("TCP", 6443), ("TCP", 53), ("UDP", 53), ("TCP", 7)}
    assert after - before == expected
    assert not before & expected
    more = merged(
        values, {"prober": {"config": {"targets": [{"name": "x", "probe": "connect", "host": "h", "port": 9}]}}}
    )
    assert set(ports(helm, more)) == after | {("TCP", 9)}


@pytest.mark.parametrize(
    ("target", "common", "port"),
    [
        ({}, {}, 80),
        ({"http": {"tls": True}}, {}, 443),
        ({"http": {"path": "/x"}}, {"tls": True}, 443),
        ({"http": {"tls": False}}, {"tls": True}, 80),
        ({"http": {"tls": True}, "port": 8443}, {}, 8443),
    ],
)
def test_port_of_a_target_over_tls(helm: Helm, target: dict[str, Any], common: dict[str, Any], port: int) -> None:
    """The policy allows the port that the prober reads from the plan, with and without TLS."""
    config = {"probes": {"http": common}, "targets": [{"name": "page", "probe": "http", "host": "h", **target}]}
    policy = {"enabled": True, "apiPorts": [], "dnsPorts": []}
    values = {"networkPolicy": policy, "prober": {"config": config, "trace": False}}
    assert plan_of(helm, values).targets["page"].port == port
    assert set(ports(helm, values)) - set(ports(helm, {"networkPolicy": policy})) == {("TCP", port)}


def ports(helm: Helm, values: dict[str, Any]) -> list[tuple[str, int]]:
    """Return the protocols and ports that the policy opens to probers."""
    policy = helm.render(values).get("NetworkPolicy", "smoker-prober")
    found = [port for rule in policy["spec"]["egress"] for port in rule.get("ports", ())]
    return [(port["protocol"], port["port"]) for port in found]


def test_the_plan_is_readable_yaml(helm: Helm) -> None:
    """The plan is YAML and not JSON in a string, so `kubectl get configmap` shows it legibly."""
    (found,) = (o for o in helm.render().of_kind("ConfigMap") if "plan.yaml" in o.get("data", ()))
    assert "interval: 30\n" in found["data"]["plan.yaml"]
    assert yaml.safe_load(found["data"]["plan.yaml"])["targets"] == []
