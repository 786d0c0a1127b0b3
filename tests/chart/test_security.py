"""SECURITY.md says what the chart renders: ports, accounts and their rights."""

from __future__ import annotations

import re

from .render import ALL, HOST, ROWS, Helm, Object, merged
from .values_table import CHART

TEXT = (CHART.parents[1] / "SECURITY.md").read_text()
EVERYTHING = merged(HOST, {"hub": {"replicas": 2}})


def section(name: str) -> str:
    return TEXT.partition(f"## {name}\n")[2].partition("\n## ")[0]


def rights(release: list[Object]) -> set[tuple[str, str, str]]:
    """Return what accounts may: verb, resource, and the kind of role that says so."""
    return {
        (verb, resource, role["kind"])
        for role in release
        for rule in role["rules"]
        for verb in rule["verbs"]
        for resource in rule["resources"]
    }


def test_rights(helm: Helm) -> None:
    """The accounts may do exactly what the table of tokens lists, in the namespace but for Nodes."""
    found = rights(helm.render(EVERYTHING).of_kind("Role", "ClusterRole"))
    slices = {(verb, "endpointslices", "Role") for verb in ("list", "watch")}
    leases = {(verb, "leases", "Role") for verb in ("create", "get", "update")}
    nodes = {(verb, "nodes", "ClusterRole") for verb in ("get", "list", "watch")}
    assert found == slices | leases | nodes
    said = section("What a token can do").lower()
    for resource, verbs in (("endpointslices", "list and watch"), ("nodes", "get, list and watch")):
        assert f"{verbs} {resource}" in said
    assert "create leases; get and update its own lease" in said


def test_tokens(helm: Helm) -> None:
    """Only the probers and the hub mount a token, as the table says."""
    release = helm.render(EVERYTHING)
    with_token = {
        component
        for component in ("tcp-echo", "udp-echo", "http-echo", "prober", "host", "hub", "test")
        if release.pod(component)["spec"]["automountServiceAccountToken"]
    }
    assert with_token == {"prober", "host", "hub"}


def test_ports(helm: Helm) -> None:
    """Each value that is the port of a pod is in the table of what listens, and the table names only values."""
    said = set(re.findall(r"`([a-zA-Z.]+)`", section("What listens")))
    keys = {row.key for row in ROWS}
    listening = {
        key
        for key in keys
        if re.search(r"(^|\.)(\w*[pP]ort)$", key) and not key.startswith(("networkPolicy", "mesh.ports"))
    }
    listening = {key for key in listening if "otlp" not in key}
    assert listening <= said | {"hostNetwork.ports"}
    named = {key for key in said if "." in key or key == "adminPort"}
    assert {key for key in named if not any(each == key or each.startswith(f"{key}.") for each in keys)} == set()
    assert ALL["hub"]["auth"]["existingSecret"]
