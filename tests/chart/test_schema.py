"""The schema refuses values that cannot work, and names their keys."""

from __future__ import annotations

import json
import re
from functools import cache, reduce
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from tests import hosts

from .render import ALL, ROWS, Helm, HelmError, at, merged, nested
from .schema import SCHEMA, entry, keys, resolved
from .values_table import CHART

BAD: list[tuple[str, Any]] = [
    ("tcpEcho.port", 80),
    ("tcpEcho.port", 65536),
    ("udpEcho.port", "8081"),
    ("httpEcho.port", 8082.5),
    ("adminPort", 1023),
    ("log.level", "LOUD"),
    ("log.level", ""),
    ("log.format", "xml"),
    ("tcpEcho.log.level", "info"),
    ("udpEcho.log.rate", -1),
    ("tcpEcho.idleTimeoutSeconds", 0),
    ("httpEcho.requestTimeoutSeconds", 86401),
    ("httpEcho.requestTimeoutSeconds", "30s"),
    ("httpEcho.maxBodyBytes", -1),
    ("httpEcho.maxSpooledBytes", "much"),
    ("httpEcho.tmpSizeLimit", "256 MB"),
    ("hub.otlp.logsEndpoint", "loki:3100"),
    ("hub.otlp.metricsEndpoint", "http://user@prometheus:9090"),
    ("test.tolerate", "loss"),
    ("test.tolerate", ["dns"]),
    ("prober.intervalSeconds", 0),
    ("prober.intervalSeconds", "30"),
    ("prober.timeoutSeconds", -5),
    ("prober.timeoutSeconds", "0.0001"),
    ("prober.timeoutSeconds", "5s"),
    ("prober.serverHost", "two words"),
    ("prober.serverHost", "http://web"),
    ("prober.serverHost", "[::1"),
    ("prober.serverHost", "1.2.3"),
    ("prober.serverHost", 1),
    ("prober.targets", {"a": "udp://h:1"}),
    ("prober.targets", {"a": "tcp://h"}),
    ("prober.targets", {"a": "tcp://h:65536"}),
    ("prober.targets", {"a": "https://h/#part"}),
    ("prober.targets", {"a": "https://-h"}),
    ("prober.targets", {"a": "dns://h:0/x"}),
    ("prober.targets", {"a": "dns://-h/x"}),
    ("prober.targets", {"a": "dns://h/a b"}),
    ("prober.targets", {"a": "http://user@h/"}),
    ("prober.targets", {"a": "http://h/a b"}),
    ("prober.targets.A", "tcp://h:1"),
    ("prober.updateStrategy", {"type": "Recreate"}),
    ("prober.tolerations", {"operator": "Exists"}),
    ("tcpEcho.replicas", -1),
    ("tcpEcho.replicas", 1.5),
    ("imageRegistry", "https://registry.example"),
    ("imageRegistry", "registry example"),
    ("imageTag", 1.0),
    ("imageTag", "a:b"),
    ("imagePullPolicy", "Sometimes"),
    ("imagePullSecrets", ["name"]),
    ("prober.image.name", ""),
    ("prober.image.digest", "sha256:abc"),
    ("prober.extraEnv", {"A": "b"}),
    ("prober.extraEnv", [{"name": "A", "value": 1}]),
    ("prober.extraEnv", [{"value": "b"}]),
    ("tcpEcho.podAnnotations", {"a": 1}),
    ("tcpEcho.podLabels", {"app.kubernetes.io/name": "other"}),
    ("commonLabels", {"app": "other"}),
    ("tcpEcho.resources", {"memory": "40Mi"}),
    ("service.ipFamilyPolicy", "DualStack"),
    ("service.ipFamilies", ["IPv5"]),
    ("service.ipFamilies", ["IPv4", "IPv4"]),
    ("lingerSeconds", -1),
    ("lingerSeconds", 0.5),
    ("lingerSeconds", 301),
    ("mesh.enabled", "yes"),
    ("mesh.peers", -1),
    ("mesh.peers", "all"),
    ("mesh.ports.tcp", 80),
    ("mesh.ports.stamp", 862),
    ("mesh.ports.udp", "8081"),
    ("hostNetwork.enabled", 1),
    ("hostNetwork.adminPort", 443),
    ("hostNetwork.ports.http", 65536),
    ("networkPolicy.enabled", "yes"),
    ("networkPolicy.apiPorts", [0]),
    ("networkPolicy.apiPorts", ["https"]),
    ("networkPolicy.nodeCidrs", []),
    ("networkPolicy.apiCidrs", []),
    ("networkPolicy.nodeCidrs", ["10.0.0.1"]),
    ("networkPolicy.nodeCidrs", ["10.0.0.0/33"]),
    ("networkPolicy.nodeCidrs", ["nodes"]),
    ("networkPolicy.extraFrom", [{}]),
    ("networkPolicy.dnsPorts", [0]),
    ("metrics.scrapeAnnotations", "true"),
    ("metrics.podMonitor.enabled", 1),
    ("metrics.podMonitor.intervalSeconds", "30s"),
    ("metrics.podMonitor.intervalSeconds", 241),
    ("metrics.podMonitor.timeoutSeconds", 0),
    ("metrics.podMonitor.timeoutSeconds", 0.5),
    ("metrics.podMonitor.labels", {"app.kubernetes.io/component": "other"}),
    ("metrics.podMonitor.relabelings", {"action": "drop"}),
    ("metrics.podMonitor.metricRelabelings", [{}]),
    ("metrics.serviceMonitor.enabled", "yes"),
    ("metrics.serviceMonitor.intervalSeconds", 0),
    ("metrics.prometheusRule.annotations", {"a": 1}),
    ("metrics.prometheusRule.runbookUrl", "https://example.com/#x"),
    ("metrics.prometheusRule.probeFailing.forSeconds", "5m"),
    ("metrics.prometheusRule.targetGone.forSeconds", -1),
    ("metrics.prometheusRule.packetLoss.ratio", 1.5),
    ("metrics.prometheusRule.packetLoss.ratio", "1%"),
    ("metrics.prometheusRule.latencyHigh.factor", 0.5),
    ("metrics.prometheusRule.latencyHigh.floorSeconds", "0.5ms"),
    ("metrics.prometheusRule.latencyHigh.pastSeconds", "1d"),
    ("metrics.prometheusRule.proberStarved.throttledRatio", -0.1),
    ("metrics.prometheusRule.proberStarved.latenessSeconds", 5),
    ("metrics.prometheusRule.fault.enabled", "no"),
    ("metrics.prometheusRule.hubBlind.severity", "two words"),
    ("metrics.prometheusRule.targetFailing.labels", {"a-b": "c"}),
    ("metrics.prometheusRule.additionalRules", [{}]),
    ("metrics.prometheusRule.echoRestarting.restarts", 0),
    ("metrics.dashboards.enabled", "yes"),
    ("metrics.dashboards.labels", {"grafana_dashboard": 1}),
    ("metrics.dashboards.annotations", []),
    ("fullnameOverride", "Smoker"),
    ("fullnameOverride", "1smoker"),
]
UNKNOWN = [
    "nope",
    "log.nope",
    "service.nope",
    "tcpEcho.nope",
    "udpEcho.idleTimeoutSeconds",
    "udpEcho.image.nope",
    "httpEcho.log.nope",
    "httpecho",
    "prober.nope",
    "prober.replicas",
    "prober.log.rate",
    "prober.updateStrategy.nope",
    "mesh.nope",
    "mesh.ports.admin",
    "hostNetwork.peers",
    "hostNetwork.ports.admin",
    "test.nope",
    "networkPolicy.nope",
    "metrics.nope",
    "metrics.podMonitor.interval",
    "metrics.serviceMonitor.interval",
    "metrics.prometheusRule.nope",
    "metrics.prometheusRule.probeFailing.ratio",
    "metrics.prometheusRule.latencyHigh.for",
    "metrics.dashboards.namespace",
]


def overlap(one: str, two: str) -> bool:
    return f"{one}.".startswith(f"{two}.") or f"{two}.".startswith(f"{one}.")


def rounds(cases: list[tuple[str, Any]]) -> list[list[tuple[str, Any]]]:
    """Distribute the cases to as few lists as possible, so that no two of a list concern the same key."""
    lists: list[list[tuple[str, Any]]] = []
    for case in cases:
        for some in lists:
            if not any(overlap(case[0], other[0]) for other in some):
                some.append(case)
                break
        else:
            lists.append([case])
    return lists


ROUNDS = rounds([*BAD, *((key, 1) for key in UNKNOWN)])


@cache
def refusal(helm: Helm, number: int) -> str:
    """Return Helm's message about all values of a round: it reports every mistake, so one call tests many."""
    with pytest.raises(HelmError, match="don't meet the specifications of the schema") as refused:
        helm.render(reduce(merged, (nested(key, value) for key, value in ROUNDS[number])))
    return str(refused.value)


def complaint(helm: Helm, key: str, value: Any) -> str:
    """Return the line about a key: under its own path, or by its name under its parent's."""
    number = next(n for n, some in enumerate(ROUNDS) if any((key, value) == case for case in some))
    *parents, last = key.split(".")
    parent = r"[./]".join(parents) + r"\b" if parents else ""
    lines = re.findall(rf"^ *- (?:at ')?/?{parent}.*\b{last}\b.*$", refusal(helm, number), re.MULTILINE)
    assert lines, refusal(helm, number)
    return str(lines[0])


@pytest.mark.parametrize(("key", "value"), BAD, ids=lambda part: str(part).replace(" ", "_"))
def test_bad_values(helm: Helm, key: str, value: Any) -> None:
    """A bad value is refused before anything is rendered, and the message names its key."""
    assert complaint(helm, key, value)


@pytest.mark.parametrize("key", UNKNOWN)
def test_unknown_keys(helm: Helm, key: str) -> None:
    """An unknown key, most likely a typing error, is refused by name."""
    assert "dditional propert" in complaint(helm, key, 1)


HOST = Draft7Validator({"definitions": SCHEMA["definitions"]} | entry("prober.serverHost"))
URL = Draft7Validator(SCHEMA["definitions"]["url"])


@pytest.mark.parametrize("text", hosts.GOOD, ids=ascii)
def test_the_schema_accepts_every_valid_host(text: str) -> None:
    """`prober.serverHost` and the URLs of `prober.targets` accept every host that the prober accepts."""
    address = f"[{text}]" if ":" in text and "[" not in text else text
    assert HOST.is_valid(text)
    assert all(URL.is_valid(url) for url in (f"tcp://{address}:1", f"http://{address}", f"https://{address}:65535/x"))
    assert all(URL.is_valid(url) for url in (f"dns://{address}", f"dns://{address}:5353/x.example?type=A+AAAA"))
    assert all(URL.is_valid(url) for url in (f"tls://{address}", f"tls://{address}:1?expiryWarning=30d&alpn=h2%2Ch3"))
    assert URL.is_valid(f"tls://{address}?serverName=x.example")
    assert URL.is_valid(f"grpc://{address}:50051?service=shop.Cart")
    assert not URL.is_valid(f"grpcs://{address}")
    assert all(URL.is_valid(url) for url in (f"ws://{address}", f"wss://{address}:1/chat?room=1"))


@pytest.mark.parametrize("text", hosts.BAD, ids=ascii)
def test_the_schema_refuses_an_invalid_host(text: str) -> None:
    """A host that the prober refuses is refused before anything is installed."""
    assert not HOST.is_valid(text)
    assert not URL.is_valid(f"tcp://{text}:1")
    if text not in ("host:80", "1.2.3.4:80", "[::1]:80", "a/b", "a/"):
        assert not URL.is_valid(f"http://{text}")
        assert not URL.is_valid(f"https://{text}/x")
        assert not URL.is_valid(f"tls://{text}")


@pytest.mark.parametrize("port", ["", "0", "65536", "99999", "100000", "+1", "x"])
def test_the_schema_refuses_an_invalid_port(port: str) -> None:
    """A port is 1 to 65535, and nothing else."""
    assert not URL.is_valid(f"tcp://web:{port}")
    assert not URL.is_valid(f"http://web:{port}/")


def test_a_look_up_needs_no_server() -> None:
    """A dns target without a server is accepted: the prober then uses its pod's name server."""
    assert all(URL.is_valid(url) for url in ("dns://", "dns:///x.example", "dns://:5353/"))
    assert not any(URL.is_valid(url) for url in ("tcp://:1", "http:///x", "dns:x.example"))


def test_helm_reads_the_patterns_alike(helm: Helm) -> None:
    """Go's regular expressions accept every good host and refuse a bad one of each kind by its key."""
    for some in (list(hosts.GOOD), [f"[{text}]" for text in hosts.GOOD if ":" in text and "[" not in text]):
        targets = {f"t{n}": f"https://{text}:1/x" for n, text in enumerate(some) if ":" not in text or "[" in text}
        helm.render({"prober": {"targets": targets}})
    bad = {f"t{n}": f"tcp://{text}:1" for n, text in enumerate(hosts.BAD)}
    with pytest.raises(HelmError) as refused:
        helm.render({"prober": {"targets": bad}})
    assert [name for name in bad if not re.search(rf"\b{name}\b", str(refused.value))] == []
    for text in ("bücher.test", "[fe80::1%eth0]"):
        assert helm.render({"prober": {"serverHost": text}}).objects


def test_ci_values(helm: Helm) -> None:
    """The values under ci/ are accepted, and each renders."""
    for path in sorted((CHART / "ci").glob("*-values.yaml")):
        assert helm.render(yaml.safe_load(path.read_text())).objects, path.name


def test_numbers_from_the_command_line(helm: Helm) -> None:
    """`--set` gives whole numbers where a file gives floats, and text for a fraction: all are accepted."""
    values = "httpEcho.maxBodyBytes=20971520,prober.intervalSeconds=0.5"
    said = helm.run("template", "smoker", str(CHART), "--set", values)
    assert 'value: "20971520"' in said
    assert 'interval: "0.5"' in said


def test_schema_and_values_know_the_same_keys() -> None:
    """Every value has a comment and a schema entry, and the schema knows no key that values.yaml does not show."""
    assert set(keys()) == {row.key for row in ROWS}


def test_every_value_has_a_type() -> None:
    """The schema has a type for each value, for error messages and editors."""
    assert [row.key for row in ROWS if "type" not in entry(row.key)] == []


def test_owned_levels_are_closed() -> None:
    """Every level whose keys belong to the chart refuses unknown keys."""

    def walk(node: dict[str, Any], path: str) -> None:
        node = resolved(node)
        prefix = f"{path}." if path else ""
        below = {row.key for row in ROWS if row.key.startswith(prefix) and row.key != path}
        if below:
            assert node["additionalProperties"] is False, path
            for name, child in node["properties"].items():
                walk(child, f"{prefix}{name}")

    walk(SCHEMA, "")


#: What ci/all-values.yaml leaves at its default: the first two are needed, two exclude others; the rest makes objects.
NOT_SET = {"mesh.enabled", "hub.enabled", "hub.history.persistence.enabled"}
NOT_SET |= {row.key for row in ROWS if re.fullmatch(r"metrics\.prometheusRule\.\w+\.enabled", row.key)}
NOT_SET |= {
    "metrics.serviceMonitor.enabled",
    "rbac.create",
    "prober.serviceAccount.create",
    "hub.serviceAccount.create",
}


def test_all_values_sets_everything() -> None:
    """ci/all-values.yaml sets every value to something else than its default, except mesh and hub."""
    for row in ROWS:
        value = at(ALL, row.key)
        assert value is not None, row.key
        assert (value != row.default) == (row.key not in NOT_SET), row.key


def test_no_value_is_required() -> None:
    """The chart requires none of its values: Helm deletes a null before it validates, and null means the default."""

    def walk(node: dict[str, Any]) -> None:
        node = resolved(node)
        assert "required" not in node, node
        for child in node.get("properties", {}).values():
            if isinstance(child, dict):
                walk(child)

    walk(SCHEMA)


def test_definitions_are_used() -> None:
    """Every definition of the schema is used."""
    used = set(re.findall(r'"#/definitions/(\w+)"', json.dumps(SCHEMA)))
    assert used == set(SCHEMA["definitions"])
