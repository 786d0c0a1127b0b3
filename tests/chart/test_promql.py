from __future__ import annotations

import pytest

from .promql import Selector, documented, grouped, mistakes, selectors, target_labels


def test_documented() -> None:
    """Every kind of metric is read from docs/metrics.md with its labels, a histogram as its three series."""
    assert documented()["smoker_probe_total"] == {"probe", "target", "plane", "family", "target_zone", "outcome"}
    assert documented()["smoker_prober_rounds_total"] == set()
    assert documented()["smoker_probe_rtt_seconds_bucket"] == {"probe", "le"}
    assert "smoker_probe_rtt_seconds" not in documented()
    assert "process_cpu_seconds_total" in documented()
    assert target_labels() == {
        "namespace",
        "pod",
        "node",
        "app_kubernetes_io_instance",
        "app_kubernetes_io_component",
    }


def test_selectors() -> None:
    """Metrics are distinguished from functions, operators, labels, strings, durations and comments."""
    expression = """
      # a comment with words {in="it"}
      sum by (node) (rate(a_total{x="b{c}",y=~"d"}[5m] offset 1h)) / on (node) group_left (z) sum without (pod) (e)
        and (f:ratio > bool 1e3 or vector(0)) unless quantile_over_time(0.5, max(g)[1d:5m]) >= inf
    """
    assert list(selectors(expression)) == [
        Selector("a_total", frozenset({"x", "y"})),
        Selector("e", frozenset()),
        Selector("f:ratio", frozenset()),
        Selector("g", frozenset()),
    ]
    assert grouped(expression) == {"node", "z", "pod"}


@pytest.mark.parametrize(
    ("expression", "mistake"),
    [
        ("sum(smoker_nope_total)", "docs/metrics.md has no smoker_nope_total"),
        ("smoker_probe_rtt_seconds", "docs/metrics.md has no smoker_probe_rtt_seconds"),
        ('smoker_probe_total{colour="red"}', "smoker_probe_total has no label colour"),
        ("sum by (colour) (smoker_probe_total)", "no series has a label colour"),
        ('max by (way) (label_join(up, "path", " ", "way"))', "no series has a label way"),
    ],
)
def test_mistakes(expression: str, mistake: str) -> None:
    """Metrics and labels that docs/metrics.md does not list are reported."""
    assert mistakes(expression) == [mistake]


def test_no_mistakes() -> None:
    """Documented series, `up` and those of kube-state-metrics are accepted."""
    assert not mistakes('smoker_probe_total{node="a",outcome="success"} and up and kube_node_info{any="thing"}')
    assert not mistakes('max by (way) (label_join(smoker_probe_total{probe="tcp"}, "way", " ", "plane", "family"))')
    assert not mistakes('max by (alertname) (ALERTS{alertstate="firing"})')
