"""Null means unset: a null value has the chart's default, with any features enabled."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from .render import ALL, CLUSTER, ROWS, Helm, HelmError, at, merged, nested
from .values_table import CHART

#: Every feature, and nothing else that differs from a default.
ON: dict[str, Any] = {
    "bandwidth": {"enabled": True},
    **{key: {"replicas": 2} for key in ("tcpEcho", "udpEcho", "httpEcho")},
    "hub": {"replicas": 2, "ingress": {"enabled": True, "hosts": ["smoker.example"], "withoutLogin": True}},
    "mesh": {"enabled": True},
    "hostNetwork": {"enabled": True},
    "networkPolicy": {"enabled": True},
    "extraObjects": ALL["extraObjects"],
    "metrics": {
        "scrapeAnnotations": True,
        **{part: {"enabled": True} for part in ("podMonitor", "prometheusRule", "dashboards")},
    },
}


TOGETHER = 8  # values that are null in one render


def groups() -> set[str]:
    """Return the keys that contain other keys of the chart."""
    return {row.key[:end] for row in ROWS for end, char in enumerate(row.key) if char == "."}


def without(tree: dict[str, Any], key: str) -> dict[str, Any]:
    """Return a tree without a dotted key."""
    head, _, rest = key.partition(".")
    if not rest:
        return {name: value for name, value in tree.items() if name != head}
    return {name: without(value, rest) if name == head else value for name, value in tree.items()}


def text(helm: Helm, values: dict[str, Any], chart: Path = CHART) -> str:
    """Return what Helm renders, or its error message."""
    command = ["template", "smoker", str(chart), "--kube-version", CLUSTER["kubeVersion"], "--values", "-"]
    try:
        return helm.run(*command, stdin=json.dumps(values))
    except HelmError as refused:
        return f"refused: {refused}"


def texts(helm: Helm, cases: Iterable[dict[str, Any]]) -> list[str]:
    """Render each case separately, as many at once as there are CPUs."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda values: text(helm, values), cases))


def test_all_features_are_on(helm: Helm) -> None:
    """The values of these tests render every object of ci/all-values.yaml, and those that it disables."""
    everything = merged(ALL, {"hub": {"watchNodes": True}})
    kinds = [sorted(o["kind"] for o in helm.render(values).objects) for values in (ON, everything)]
    assert kinds[0] == kinds[1]


def test_null_is_the_default(helm: Helm) -> None:
    """Each value and each group, set to null, renders as if unset: groups and what `ON` sets alone, the rest by eights.

    None of a rest turns a feature off, so none can hide another; a Helm for each would take a minute of CPU.
    """
    keys = sorted({row.key for row in ROWS} | groups())
    assert len(keys) > 150
    set_ones = [key for key in keys if at(ON, key) is not None]
    expected = dict(zip(set_ones, texts(helm, (without(ON, key) for key in set_ones)), strict=True))
    plain = text(helm, ON)
    alone = [key for key in keys if key in expected or key in groups()]
    rest = [key for key in keys if key not in alone]
    apart = -(-len(rest) // TOGETHER)  # sorted keys so far from each other are hardly ever of one group
    sets = [*((key,) for key in alone), *(tuple(rest[place::apart]) for place in range(apart))]
    found = texts(helm, (nulls(keys) for keys in sets))
    wrong = {keys: said[:400] for keys, said in zip(sets, found, strict=True) if said != expected.get(keys[0], plain)}
    assert wrong == {}
    assert sorted(key for keys in sets for key in keys) == keys
    assert plain.startswith("---")


def nulls(keys: Iterable[str]) -> dict[str, Any]:
    """Return `ON` with these keys null."""
    values = ON
    for key in keys:
        values = merged(values, nested(key, None))
    return values


def test_all_null(helm: Helm) -> None:
    """A file in which every value or every group is null installs the defaults."""
    nothing: dict[str, Any] = {}
    for row in ROWS:
        nothing = merged(nothing, nested(row.key, None))
    default = text(helm, {})
    assert text(helm, nothing) == default
    assert text(helm, dict.fromkeys(nothing)) == default


def test_null_wins_over_an_earlier_file(helm: Helm) -> None:
    """Null after all values were set restores each default."""
    for key, variable, default in (
        ("prober.serverHost", "SERVER_HOST", "lungs-server"),
        ("prober.timeoutSeconds", "TEST_TIMEOUT", "5"),
        ("prober", "TEST_INTERVAL", "30"),
        ("log", "LOG_FORMAT", "text"),
    ):
        assert helm.render(merged(ALL, nested(key, None))).env("prober")[variable] == default


@pytest.mark.parametrize(
    ("values", "path", "expected"),
    [
        ({"nodeSelector": {"kubernetes.io/os": None}}, "spec.nodeSelector", None),
        ({"nodeSelector": {"kubernetes.io/os": None, "disk": "ssd"}}, "spec.nodeSelector", {"disk": "ssd"}),
        ({"podAnnotations": {"a": None, "b": "c"}}, "metadata.annotations", {"b": "c"}),
        ({"podLabels": {"team": None}}, "metadata.labels.team", None),
        ({"affinity": {"nodeAffinity": None, "podAffinity": {}}}, "spec.affinity", {"podAffinity": {}}),
    ],
    ids=str,
)
def test_null_in_a_map(helm: Helm, values: dict[str, Any], path: str, expected: Any) -> None:
    """Null deletes an entry from a map of the user's, whether or not the chart's default has it."""
    assert at(helm.render({"prober": values}).pod("prober"), path) == expected


def test_null_in_targets_and_resources(helm: Helm) -> None:
    """A null target does not exist; limits, requests and strategies lose their null entries."""
    values: dict[str, Any] = {
        "targets": {"api": "tcp://k:443", "web": None},
        "resources": {"limits": None, "requests": {"cpu": None, "ephemeral-storage": None}, "claims": None},
        "updateStrategy": {"type": None, "rollingUpdate": {"maxUnavailable": None, "maxSurge": None}},
    }
    release = helm.render({"prober": values, "networkPolicy": {"enabled": True}})
    assert release.env("prober")["TARGETS"] == "api=tcp://k:443"
    assert release.container("prober")["resources"] == {"requests": {"memory": "48Mi"}}
    assert release.component("prober")["spec"]["updateStrategy"] == {"rollingUpdate": {}}
    values = {"prober": {"targets": {"web": None}}, "networkPolicy": {"enabled": True}}
    assert helm.render(values).objects == helm.render({"networkPolicy": {"enabled": True}}).objects


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("networkPolicy.nodeCidrs", [None], r"networkPolicy[./]nodeCidrs[./]0"),
        ("networkPolicy.dnsPorts", [53, None], r"networkPolicy[./]dnsPorts[./]1"),
        ("networkPolicy.extraFrom", [None], r"networkPolicy[./]extraFrom[./]0"),
        ("networkPolicy.extraFrom", [{"podSelector": None}], r"networkPolicy\.extraFrom\[0\]\.podSelector: null"),
        (
            "networkPolicy.extraTo",
            [{"podSelector": {"matchLabels": None}}],
            r"networkPolicy\.extraTo\[0\]\.podSelector\.matchLabels: null",
        ),
        (
            "networkPolicy.adminFrom",
            [{"ipBlock": {"cidr": "10.0.0.0/8", "except": [None]}}],
            r"networkPolicy\.adminFrom\[0\]\.ipBlock\.except\[0\]: null",
        ),
        ("tcpEcho.tolerations", [{"key": "a", "value": None}], r"tcpEcho\.tolerations\[0\]\.value: null"),
        ("udpEcho.extraEnv", [{"name": "A", "value": None}], r"udpEcho[./]extraEnv[./]0[./]value"),
        ("httpEcho.topologySpreadConstraints", [None], r"httpEcho[./]topologySpreadConstraints[./]0"),
        (
            "prober.affinity",
            {"nodeAffinity": {"preferred": [{"preference": None}]}},
            r"prober\.affinity\.nodeAffinity\.preferred\[0\]\.preference: null",
        ),
        ("prober.probes", ["tcp", None], r"prober[./]probes[./]1"),
        ("service.ipFamilies", [None], r"service[./]ipFamilies[./]0"),
        ("imagePullSecrets", [{"name": None}], r"imagePullSecrets[./]0[./]name"),
    ],
    ids=str,
)
def test_null_in_a_list(helm: Helm, key: str, value: Any, named: str) -> None:
    """Null within a list is refused by name.

    Helm deletes nothing there, and an empty selector would select every pod.
    """
    with pytest.raises(HelmError, match=named):
        helm.render(nested(key, value))


def test_values_of_an_older_chart(helm: Helm, tmp_path: Path) -> None:
    """Values that Helm does not pass, such as new ones after `helm upgrade --reuse-values`, have their defaults."""
    chart = shutil.copytree(CHART, tmp_path / "smoker")
    (chart / "values.yaml").write_text("{}")
    for values in ({}, ON):
        assert text(helm, values, chart) == text(helm, values)


def test_every_template_completes_the_values() -> None:
    """Helm promises no order of templates, so each one begins by completing the values."""
    for path in (CHART / "templates").rglob("*"):
        if path.is_file() and not path.name.startswith("_"):
            assert path.read_text().startswith('{{- include "smoker.complete" . -}}\n'), path.name
