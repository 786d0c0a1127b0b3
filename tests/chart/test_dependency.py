"""The chart as a dependency of another chart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from .render import NO_MESH, Helm, HelmError, Rendered
from .values_table import CHART


@pytest.fixture
def parent(helm: Helm, tmp_path: Path) -> Path:
    """A chart that depends on this one twice, once under its own name and once under another."""
    smoker = {"name": "smoker", "version": ">=0.0.0-0", "repository": CHART.as_uri(), "tags": ["network"]}
    about = {
        "apiVersion": "v2",
        "name": "parent",
        "version": "1.0.0",
        "dependencies": [
            {**smoker, "condition": "smoker.enabled"},
            {**smoker, "condition": "second.enabled", "alias": "second"},
        ],
    }
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump(about))
    (tmp_path / "values.yaml").write_text("second: {enabled: false, fullnameOverride: second}")
    helm.run("dependency", "update", "--skip-refresh", str(tmp_path))
    return tmp_path


def daemonsets(release: Rendered) -> list[str]:
    return [found["metadata"]["name"] for found in release.of_kind("DaemonSet")]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, ["smoker-prober"]),
        ({"smoker": {"enabled": True}}, ["smoker-prober"]),
        ({"smoker": {"enabled": False}}, []),
        ({"smoker": {"enabled": False}, "second": {"enabled": True}}, ["second-prober"]),
        ({"second": {"enabled": True}}, ["second-prober", "smoker-prober"]),
        ({"tags": {"network": True}}, ["smoker-prober"]),
    ],
    ids=str,
)
def test_a_condition_installs_smoker_or_leaves_it_out(
    helm: Helm, parent: Path, values: dict[str, Any], expected: list[str]
) -> None:
    """A parent chart's condition installs Smoker or leaves it out, under its own name and under an alias."""
    assert sorted(daemonsets(helm.render(values, chart=parent))) == expected


def test_tags_decide_without_a_condition(helm: Helm, parent: Path) -> None:
    """Tags choose where a condition's value is not set."""
    about = yaml.safe_load((parent / "Chart.yaml").read_text())
    for dependency in about["dependencies"]:
        del dependency["condition"]
    (parent / "Chart.yaml").write_text(yaml.safe_dump(about))
    assert daemonsets(helm.render({"tags": {"network": False}}, chart=parent)) == []
    assert len(daemonsets(helm.render({"tags": {"network": True}}, chart=parent))) == 2


def test_values_of_a_parent(helm: Helm, parent: Path) -> None:
    """A parent's values reach the chart, its globals harm nothing, and an unknown key is refused by name."""
    values = {"global": {"imageRegistry": "x", "a": [None]}, "smoker": {"tcpEcho": {"port": 18080}}}
    assert helm.render(values, chart=parent).env("tcp-echo")["TCP_PORT"] == "18080"
    with pytest.raises(HelmError, match="nope"):
        helm.render({"smoker": {"nope": 1}}, chart=parent)


def test_null_of_a_parent(helm: Helm, parent: Path) -> None:
    """Null means the default here, too: in the parent's own values.yaml, and over what that sets."""
    default = helm.render(chart=parent).objects
    nulls: dict[str, Any] = {
        "prober": {"updateStrategy": None, "tolerations": None},
        "log": None,
        "networkPolicy": {"nodeCidrs": None},
    }
    assert helm.render({"smoker": nulls}, chart=parent).objects == default
    own = {**nulls, "enabled": True, "prober": {"intervalSeconds": 7, "updateStrategy": None}}
    (parent / "values.yaml").write_text(yaml.safe_dump({"smoker": own, "second": {"enabled": False}}))
    over = {"smoker": {"enabled": True, "prober": {"intervalSeconds": None}}}
    assert daemonsets(helm.render(over, chart=parent, release="other")) == ["other-prober"]
    assert helm.render(over, chart=parent, release="other").env("prober")["TEST_INTERVAL"] == "30"


def test_enabled_alone(helm: Helm) -> None:
    """Nothing but a parent's condition reads `enabled`: installed by itself, the chart renders the same with any."""
    for enabled in (True, False, None):
        assert helm.render({"enabled": enabled, **NO_MESH}).objects == helm.render(NO_MESH).objects
