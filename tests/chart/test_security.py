"""SECURITY.md matches the rendered chart: ports, accounts and their rights."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .render import ALL, HOST, ROWS, Helm, Rendered, merged
from .values_table import CHART

TEXT = (CHART.parents[1] / "SECURITY.md").read_text()
WITH_LEASES: dict[str, Any] = {"hub": {"replicas": 2}, "bandwidth": {"enabled": True}}
EVERYTHING = merged(HOST, WITH_LEASES)


def section(name: str) -> str:
    return TEXT.partition(f"## {name}\n")[2].partition("\n## ")[0]


#: account, verb, resource, where
Right = tuple[str, str, str, str]
PLACES = {"its own namespace": "default", "the namespace of the DNS, `kube-system`": "kube-system", "the cluster": ""}


def granted(release: Rendered) -> set[Right]:
    """Return the rights of each account with their namespace; the empty namespace is the whole cluster."""
    accounts = {each["metadata"]["name"]: component(each) for each in release.of_kind("ServiceAccount")}
    roles = {identity(each): each["rules"] for each in release.of_kind("Role", "ClusterRole")}
    return {
        (accounts[subject["name"]], verb, resource, binding["metadata"].get("namespace", ""))
        for binding in release.of_kind("RoleBinding", "ClusterRoleBinding")
        for rule in roles[
            binding["roleRef"]["kind"], binding["metadata"].get("namespace", ""), binding["roleRef"]["name"]
        ]
        for subject in binding["subjects"]
        for verb in rule["verbs"]
        for resource in rule["resources"]
    }


def component(found: dict[str, Any]) -> str:
    return str(found["metadata"]["labels"]["app.kubernetes.io/component"])


def identity(role: dict[str, Any]) -> tuple[str, str, str]:
    return role["kind"], role["metadata"].get("namespace", ""), role["metadata"]["name"]


def listed(without: str = "") -> set[Right]:
    """Return the rights in the table of tokens, except rows whose condition is the value `without`."""
    found = set()
    for line in section("What a token can do").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 3 or cells[2] not in PLACES or (without and f"`{without}`" in cells[0]):
            continue
        account = cells[0].partition(",")[0]
        for clause in cells[1].lower().replace("its own lease", "leases").split("; "):
            *verbs, resource = re.findall(r"\w+", clause.replace(" and ", " "))
            found |= {(account, verb, resource, PLACES[cells[2]]) for verb in verbs}
    return found


def test_accounts_have_exactly_the_documented_rights(helm: Helm) -> None:
    """The accounts have exactly the rights of the table of tokens, each in its namespace."""
    found = granted(helm.render(EVERYTHING))
    assert found == listed()
    assert ("prober", "watch", "endpointslices", "kube-system") in found


@pytest.mark.parametrize(
    ("value", "values"),
    [
        ("dns.replicas.service", {"dns": {"replicas": {"service": ""}}}),
        ("replicas", {"hub": {"replicas": 1}}),
        ("bandwidth.enabled", {"bandwidth": {"enabled": False}}),
        ("watchNodes", {"hub": {"watchNodes": False}}),
    ],
)
def test_conditions(helm: Helm, value: str, values: dict[str, Any]) -> None:
    """Without the value that a row of the table names, exactly that row's rights are missing."""
    assert granted(helm.render(merged(WITH_LEASES, values))) == listed(without=value) != listed()


def test_no_mesh(helm: Helm) -> None:
    """Without a mesh no account has any right."""
    assert granted(helm.render({"mesh": {"enabled": False}})) == set()


def test_only_probers_and_hub_mount_a_token(helm: Helm) -> None:
    """Only the probers and the hub mount a token, as in the table."""
    release = helm.render(EVERYTHING)
    with_token = {
        component
        for component in ("tcp-echo", "udp-echo", "http-echo", "prober", "host", "hub", "test")
        if release.pod(component)["spec"]["automountServiceAccountToken"]
    }
    assert with_token == {"prober", "host", "hub"}


def test_the_table_lists_every_listening_port(helm: Helm) -> None:
    """Each value that is the port of a pod is in the table of listening ports, and the table names only values."""
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
