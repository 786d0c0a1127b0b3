"""A changed value rolls the pods it concerns, and no others."""

from __future__ import annotations

import pytest

from .render import ALL, ROWS, VALUES_KEY, WORKLOADS, Helm, at, merged, nested

EVERY = set(WORKLOADS)
# What a key, or all keys below a prefix, concern; the longest prefix counts.
CONCERNS: dict[str, set[str]] = {
    "commonLabels": set(),
    "commonAnnotations": set(),
    "global": set(),
    "imageRegistry": EVERY,
    "imageTag": EVERY,
    "imagePullPolicy": EVERY,
    "imagePullSecrets": EVERY,
    "log": EVERY,
    "adminPort": EVERY,
    "service": set(),
    "test": set(),
    "networkPolicy": set(),
    "metrics": set(),
    "metrics.scrapeAnnotations": EVERY,
    "prober.updateStrategy": set(),
    **{key: {component} for component, key in VALUES_KEY.items()},
    **{f"{key}.replicas": set() for key in VALUES_KEY.values()},
    "udpEcho.stampPort": {"udp-echo", "prober"},
    **{f"{key}.port": {component, "prober"} for component, key in VALUES_KEY.items()},
}
# Another base makes other objects, so that there is nothing to compare; and nothing reads `global`.
KEYS = [row.key for row in ROWS if row.key not in ("fullnameOverride", "global")]


@pytest.mark.parametrize("key", KEYS)
def test_rolls(any_helm: Helm, key: str) -> None:
    """The pod templates that a value changes are those of the workloads it concerns; and it changes something."""
    on = {"enabled": not key.endswith(".enabled")}
    base = {"networkPolicy": on, "metrics": {"podMonitor": on, "prometheusRule": on, "dashboards": on}}
    before = any_helm.render(base)
    after = any_helm.render(merged(base, nested(key, at(ALL, key))))
    rolled = {component for component in WORKLOADS if before.pod(component) != after.pod(component)}
    prefix = max((p for p in CONCERNS if f"{key}.".startswith(f"{p}.")), key=len)
    assert rolled == CONCERNS[prefix]
    assert before.objects != after.objects


def test_both_helms_agree(helm: Helm, any_helm: Helm) -> None:
    """Every Helm makes the same objects of the same values: what one of them shows above holds for all."""
    for values in ({}, ALL):
        first, second = (sorted(h.render(values).objects, key=str) for h in (any_helm, helm))
        assert first == second
