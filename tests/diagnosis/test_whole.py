"""The judgement of a mesh as a whole, which `once --mesh` and the hub's check share."""

from __future__ import annotations

from typing import Any

import pytest

from smoker_diagnosis.component import Scope
from smoker_diagnosis.finding import finding_of
from smoker_diagnosis.whole import counts


@pytest.mark.parametrize(
    ("kind", "severity", "counted"),
    [
        ("fault", "critical", True),
        ("loss", "warning", True),
        ("unknown", "warning", True),
        ("target", "critical", False),
        ("certificate", "warning", False),
        ("certificate", "info", False),
        ("moved", "info", False),
        ("unsteady", "info", False),
    ],
)
def test_faults_of_the_mesh_count(kind: Any, severity: str, counted: bool) -> None:
    """Faults and failures without a common cause count; other targets, their certificates and information do not."""
    assert counts(finding_of("blue", kind, Scope("node", ("a",)), "network", severity=severity)) == counted
