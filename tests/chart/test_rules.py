"""When the alerts fire: promtool runs the rules of the chart on the cases of rules/*.yaml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from smoker_diagnosis import component
from smoker_diagnosis.finding import Kind
from smoker_diagnosis.text.place import scope_name
from tests.promtool import promtool

from .alert_cases import ALERTS, NAMESPACE, RELEASE, alerts, files, read, rule_file
from .render import ALL, Helm, Rendered, merged

ON = {"metrics": {"prometheusRule": {"enabled": True}}}
BY_NAME = pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)


def run(folder: Path, *arguments: str) -> None:
    done = promtool(*arguments, folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr


def rendered(helm: Helm, values: dict[str, Any]) -> Rendered:
    return helm.render(merged(ON, values), release=RELEASE, namespace=NAMESPACE)


@pytest.mark.parametrize("values", [{}, ALL, *(read(path)[0] for path in files() if read(path)[0])])
def test_rules_are_valid(helm: Helm, tmp_path: Path, values: dict[str, Any]) -> None:
    """Prometheus accepts the rules, with any values."""
    (tmp_path / "rules.yaml").write_text(rule_file(rendered(helm, values)))
    run(tmp_path, "check", "rules", "rules.yaml")


@BY_NAME
def test_exactly_the_listed_alerts_fire(any_helm: Helm, tmp_path: Path, path: Path) -> None:
    """In every case exactly the listed alerts fire, with their labels and summaries."""
    values, cases = read(path)
    release = rendered(any_helm, values)
    for annotation in ("summary", "description"):
        rules = tmp_path / f"rules-{annotation}.yaml"
        rules.write_text(rule_file(release, annotation))
        chosen = [case for case in cases if all(annotation in alert for alert in case.expected)]
        # Descriptions are compared where every alert of a case gives one; summaries in every case.
        assert annotation == "description" or chosen == cases
        tests = [case.test(annotation) for case in chosen if annotation == "summary" or case.expected]
        whole = {"rule_files": [rules.name], "evaluation_interval": cases[0].interval, "tests": tests}
        (tmp_path / f"{annotation}.yaml").write_text(yaml.safe_dump(whole, allow_unicode=True))
        if tests:
            run(tmp_path, "test", "rules", f"{annotation}.yaml")


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_its_cases(alert: str) -> None:
    """Each alert fires in some case, with its description compared, and is silent in another of the same file."""
    mine = [cases for _, cases in map(read, files()) if any(a["alert"] == alert for c in cases for a in c.expected)]
    fired = [a for cases in mine for c in cases for a in c.expected if a["alert"] == alert]
    assert any("description" in one for one in fired)
    assert any(not case.expected for cases in mine for case in cases)


def test_the_words_of_every_fault(helm: Helm) -> None:
    """SmokerFault has words for each kind of the diagnosis that it fires for, and for each layer of paths."""
    (rule,) = [each for each in alerts(rendered(helm, {})) if each["alert"] == "SmokerFault"]
    summary = rule["annotations"]["summary"]
    kinds, layers = (re.findall(rf'if eq \$labels\.{label} "(\w+)"', summary) for label in ("kind", "layer"))
    never = {"moved", "unsteady", "certificate"}  # of severity info, and a certificate has an alert of its own
    assert sorted(kinds) == sorted({*get_args(Kind)} - never)
    names = ("OVERLAY", "NETWORK", "PODS", "INTO_PODS", "OUT_OF_PODS", "HOSTS")
    assert sorted(layers) == sorted(getattr(component, each) for each in names)


def test_the_nodes_of_every_place(helm: Helm) -> None:
    """SmokerProberMissing reads nodes from the label `scope` as the diagnosis writes it; other places have none."""
    (rule,) = [each for each in alerts(rendered(helm, {})) if each["alert"] == "SmokerProberMissing"]
    patterns = re.findall(r'"node", "\$1", "scope", "([^"]+)"', rule["expr"])
    ends, zones = ("node-1", "node-2"), ("a", "b")
    for kind in (component.NODE, component.INTO, component.OUT_OF, component.PAIR, component.ONE_WAY):
        two = kind in (component.PAIR, component.ONE_WAY)
        name = scope_name(component.Scope(kind, ends if two else ends[:1]))
        named = {found[1] for pattern in patterns if (found := re.fullmatch(pattern, name))}
        assert named == set(ends if two else ends[:1]), name
    elsewhere = ("ZONE", "ZONE_PAIR", "ZONE_ONE_WAY", "INSIDE_ZONE", "ALL", "SERVICE", "TARGET")
    for kind in (getattr(component, each) for each in elsewhere):
        name = scope_name(component.Scope(kind, ends, zones))
        assert not any(re.fullmatch(pattern, name) for pattern in patterns), name
