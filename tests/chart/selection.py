"""Find what selectors select, as Kubernetes does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .render import Object, Rendered


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Return whether a LabelSelector matches these labels."""
    held = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    for expression in selector.get("matchExpressions", []):
        if expression["operator"] != "In":
            raise NotImplementedError(expression["operator"])
        held = held and labels.get(expression["key"]) in expression["values"]
    return held


def selectors(release: Rendered) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return every selector of a release, with its object."""
    for found in release.objects:
        name, spec = f"{found['kind']} {found['metadata']['name']}", found.get("spec", {})
        match found["kind"]:
            case "Deployment" | "DaemonSet" | "PodMonitor" | "PodDisruptionBudget":
                yield name, spec["selector"]
            case "Service":
                yield name, {"matchLabels": spec["selector"]}
            case "NetworkPolicy":
                yield name, spec["podSelector"]
                for rule in spec.get("ingress", []) + spec.get("egress", []):
                    for peer in rule.get("from", []) + rule.get("to", []):
                        if "podSelector" in peer:
                            yield f"{name}, a peer", peer["podSelector"]


def pods(release: Rendered) -> dict[str, Object]:
    """Return every pod of a release by component, including the test pod."""
    found = release.of_kind("Deployment", "DaemonSet", "Pod")
    names = [o["metadata"]["labels"]["app.kubernetes.io/component"] for o in found]
    return {name: release.pod(name) for name in names}


def selected(selector: Mapping[str, Any], release: Rendered) -> set[str]:
    """Return the components whose pods a selector matches."""
    return {name for name, pod in pods(release).items() if selects(selector, pod["metadata"]["labels"])}
