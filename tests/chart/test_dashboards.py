"""The ConfigMaps of the dashboards. tests/dashboards tests the content."""

from __future__ import annotations

import json

from .render import ALL, Helm, Object, Rendered
from .values_table import CHART

ON = {"metrics": {"dashboards": {"enabled": True}}}
FILES = sorted((CHART / "dashboards").glob("*.json"))
LIMIT = 1 << 20  # bytes of a ConfigMap's data


def dashboards(rendered: Rendered) -> list[Object]:
    """Return the ConfigMaps that contain a JSON file."""
    found = rendered.of_kind("ConfigMap")
    return [each for each in found if any(name.endswith(".json") for name in each["data"])]


def config_maps(helm: Helm, release: str = "smoker") -> list[Object]:
    return dashboards(helm.render(ON, release=release))


def test_there_is_no_dashboard_by_default(helm: Helm) -> None:
    """By default there is no dashboard."""
    assert not dashboards(helm.render())


def test_every_dashboard_has_its_own_config_map(helm: Helm) -> None:
    """Every dashboard has a ConfigMap of its own, named after release and file, with the unchanged file."""
    found = {one["metadata"]["name"]: one for one in config_maps(helm, "lungs")}
    assert set(found) == {f"lungs-{path.stem}" for path in FILES}
    assert len(found) == 3
    for path in FILES:
        data = found[f"lungs-{path.stem}"]["data"]
        assert json.loads(data[f"smoker-{path.stem}.json"]) == json.loads(path.read_text())
        assert sum(len(text.encode()) for text in data.values()) < LIMIT / 4


def test_labels(helm: Helm) -> None:
    """The ConfigMaps have the sidecar's label or that of the values, and annotations; no other object has them."""
    for one in config_maps(helm):
        assert one["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert "annotations" not in one["metadata"]
    release = helm.render({**ALL, "extraObjects": []})
    found = dashboards(release)
    for one in found:
        assert one["metadata"]["labels"]["grafana_dashboard"] == "network"
        assert one["metadata"]["annotations"]["grafana_folder"] == "Network"
    assert [o for o in release.objects if "grafana_dashboard" in o["metadata"]["labels"]] == found


def test_two_releases(helm: Helm) -> None:
    """The ConfigMaps of two releases have different names and the same files: no uid occurs in two files."""
    one, two = config_maps(helm, "one"), config_maps(helm, "two")
    assert not {o["metadata"]["name"] for o in one} & {o["metadata"]["name"] for o in two}
    assert [o["data"] for o in one] == [o["data"] for o in two]
