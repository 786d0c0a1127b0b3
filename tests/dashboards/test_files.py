"""The dashboards as files: what Grafana and a reader need."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.chart.markdown import anchors
from tests.chart.promql import GROUPING, documented, mistakes

from .grafana import ANYTHING, FOLDER, LABEL_VALUES, Json, Query, dashboards, queries, substituted, variables

PANELS = [(name, panel) for name, dashboard in dashboards().items() for panel in dashboard["panels"]]
EVERY_PANEL = pytest.mark.parametrize(
    "panel", [panel for _, panel in PANELS], ids=[f"{n}: {p['title']}" for n, p in PANELS]
)
EVERY_DASHBOARD = pytest.mark.parametrize("name", dashboards())
BUILT_IN = {"__rate_interval", "__range", "__interval", "__url_time_range", "__data", "__field"}
USED = re.compile(r"\$\{?([a-zA-Z_]\w*)")
UNITS = {"short", "percentunit", "s", "bytes"}
ROOT = FOLDER.parents[2]


def names(dashboard: Json) -> set[str]:
    return {variable["name"] for variable in variables(dashboard)}


def anything(dashboard: Json) -> dict[str, str]:
    return {**dict.fromkeys(names(dashboard), "x"), **ANYTHING}


def strings(tree: Any) -> list[str]:
    if isinstance(tree, dict):
        return [text for value in tree.values() for text in strings(value)]
    if isinstance(tree, list):
        return [text for value in tree for text in strings(value)]
    return [tree] if isinstance(tree, str) else []


def test_three_dashboards() -> None:
    """Each dashboard has a unique uid that names Smoker and stays the same, so that links keep working."""
    uids = {name: dashboard["uid"] for name, dashboard in dashboards().items()}
    assert uids == {"overview": "smoker-overview", "path": "smoker-path", "probers": "smoker-probers"}
    assert len({dashboard["title"] for dashboard in dashboards().values()}) == 3


@EVERY_DASHBOARD
def test_dashboards_reference_no_particular_grafana(name: str) -> None:
    """A dashboard has only the selected data source, no database number, and the variables that all three share."""
    dashboard = dashboards()[name]
    assert "id" not in dashboard
    assert dashboard["schemaVersion"] >= 39
    assert [v["name"] for v in variables(dashboard)][:4] == ["datasource", "namespace", "instance", "node"]
    for of in (
        *dashboard["panels"],
        *(t for p in dashboard["panels"] for t in p["targets"]),
        *variables(dashboard)[1:-1],
    ):
        assert of["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@EVERY_DASHBOARD
def test_variables_are_known(name: str) -> None:
    """Each name after a dollar sign is a variable of the dashboard or of Grafana, and each variable is used."""
    dashboard = dashboards()[name]
    used = {found for text in strings(dashboard) for found in USED.findall(text)} - {"__all"}
    assert used - BUILT_IN == names(dashboard)


@EVERY_DASHBOARD
def test_links(name: str) -> None:
    """Each dashboard links to the other two with namespace and release, and has no other links."""
    dashboard = dashboards()[name]
    uids = {one["uid"] for one in dashboards().values()}
    urls = [text for text in strings(dashboard) if text.startswith("/d/")]
    assert {link["url"].split("?")[0] for link in dashboard["links"]} == {
        f"/d/{uid}" for uid in uids - {dashboard["uid"]}
    }
    for url in urls:
        assert url.split("?")[0].removeprefix("/d/") in uids
        assert "${datasource:queryparam}&${namespace:queryparam}&${instance:queryparam}" in url


@EVERY_DASHBOARD
def test_layout(name: str) -> None:
    """Panels fit a grid of 24 columns without overlap, each with a unique number and title."""
    panels = dashboards()[name]["panels"]
    taken: set[tuple[int, int]] = set()
    for grid in (panel["gridPos"] for panel in panels):
        cells = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
        assert not cells & taken
        assert grid["x"] + grid["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)


def test_the_overview_leads_with_findings() -> None:
    """The first number counts the hub's findings; below the numbers are the findings and the nodes, node by node."""
    panels = sorted(
        dashboards()["overview"]["panels"], key=lambda panel: (panel["gridPos"]["y"], panel["gridPos"]["x"])
    )
    tables = [panel for panel in panels if panel["type"] != "stat"]
    assert [panel["title"] for panel in (panels[0], *tables[:2])] == ["Findings", "Open findings", "Node by node"]
    for panel in (panels[0], tables[0]):
        assert all("smoker_finding_open" in target["expr"] for target in panel["targets"][:1])


@EVERY_PANEL
def test_every_panel_has_a_unit_and_a_description(panel: Json) -> None:
    """Each panel has a unit, and its description says what is good, where to read on, and what an empty panel means."""
    text, defaults = panel["description"], panel["fieldConfig"]["defaults"]
    assert re.search(r"\bgood\b", text, re.IGNORECASE)
    assert len(text) > 100
    assert defaults["unit"] in UNITS
    assert panel["type"] == "timeseries" or defaults.get("noValue") or panel["type"] in ("bargauge", "state-timeline")
    if defaults["unit"] == "short" and panel["type"] == "timeseries":
        assert defaults["custom"]["axisLabel"]


@EVERY_PANEL
def test_dashboards_link_to_the_documents(panel: Json) -> None:
    """The pages and sections that a description names exist."""
    for page, anchor in re.findall(r"((?:docs|charts)/[\w/]+\.md)(?:#(\w+))?", panel["description"]):
        assert (ROOT / page).exists()
        assert not anchor or anchor in anchors((ROOT / page).read_text()), anchor


@pytest.mark.parametrize("query", queries(), ids=str)
def test_known_metrics(query: Query) -> None:
    """Queries read only metrics and labels of docs/metrics.md, of the selected release alone."""
    expr = query.with_values(anything(dashboards()[query.dashboard]))
    assert not mistakes(expr)
    for metric, matchers in re.findall(r"(\w+)\{([^}]*)\}", expr):
        assert matchers.startswith('namespace="x",app_kubernetes_io_instance="x"'), metric
        of_hub = metric.startswith(("smoker_finding_", "smoker_hub_"))
        component = 'app_kubernetes_io_component="hub"' if of_hub else 'app_kubernetes_io_component=~"prober|host"'
        assert metric in ("up", "ALERTS") or component in matchers, metric


@pytest.mark.parametrize("query", queries(), ids=str)
def test_paths_are_shown_separately(query: Query) -> None:
    """Queries by target also group by plane and family unless these are selected.

    So two paths to one peer stay apart.
    """
    one_way = 'plane=~"$plane",family=~"$family"' in query.expr
    for found in GROUPING.finditer(query.expr):
        labels = {label.strip() for label in found["labels"].split(",")}
        worst = query.expr[: found.start()].endswith("max ") and labels == {
            "node",
            "target",
        }  # labels of paths in an inner query
        assert "target" not in labels or labels >= {"plane", "family"} or one_way or worst or 'family=""' in query.expr


@EVERY_DASHBOARD
def test_known_choices(name: str) -> None:
    """Variables list labels that series have."""
    dashboard = dashboards()[name]
    for variable in (v for v in variables(dashboard) if v["type"] == "query"):
        found = LABEL_VALUES.fullmatch(substituted(variable["query"]["query"], anything(dashboard)))
        assert found, variable["name"]
        assert not mistakes(f"sum by ({found['label']}) ({found['series']})")


def test_the_probers_metrics_are_shown() -> None:
    """Every metric of the prober is on a dashboard, except those that only a suspicion makes: a finding has them."""
    shown = " ".join(query.expr for query in queries())
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in documented() if name.startswith("smoker_prob")}
    of_suspicions = {"smoker_probe_flows_failing", "smoker_probe_kept_flow_failed_rounds"}
    assert {family for family in families if family not in shown} == of_suspicions
