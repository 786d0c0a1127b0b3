"""Translate a PodMonitor to a scrape configuration of Prometheus, as the Prometheus operator would.

What the chart's PodMonitor uses is translated: the selector, pod labels as target labels, a port by its name, path,
interval, timeout and relabelings. Anything else is refused, so that the tests never scrape otherwise than users do.

Two things are not the operator's. Targets come from discovery.py. And a pod is asked through the API server
(`/api/v1/namespaces/…/proxy/…`), because few clusters let this machine reach a pod: so its NetworkPolicies see another
address than that of a Prometheus in the cluster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.e2e.cluster import Object
from tests.e2e.discovery import POD, word


def scrape_config(monitor: Object, *, targets: str, api: str) -> Object:
    """Return the scrape configuration of a PodMonitor.

    `targets` is the URL of its targets, `api` the API's host and port.
    """
    name, namespace = monitor["metadata"]["name"], monitor["metadata"]["namespace"]
    spec = _of(monitor["spec"], "selector", "podTargetLabels", "podMetricsEndpoints")
    (endpoint,) = spec["podMetricsEndpoints"]
    _of(endpoint, "port", "path", "interval", "scrapeTimeout", "relabelings")
    return {
        "job_name": f"podMonitor/{namespace}/{name}/0",
        "scrape_interval": endpoint["interval"],
        "scrape_timeout": endpoint["scrapeTimeout"],
        "http_sd_configs": [{"url": targets, "refresh_interval": endpoint["interval"]}],
        "relabel_configs": [
            {"action": "drop", "source_labels": [f"{POD}_phase"], "regex": "Failed|Succeeded"},
            *_selected(spec["selector"]),
            {"action": "keep", "source_labels": [f"{POD}_container_port_name"], "regex": endpoint["port"]},
            _copied("__meta_kubernetes_namespace", "namespace"),
            _copied(f"{POD}_name", "pod"),
            _copied(f"{POD}_container_name", "container"),
            *(_copied(f"{POD}_label_{word(label)}", word(label)) for label in spec["podTargetLabels"]),
            {"target_label": "job", "replacement": f"{namespace}/{name}"},
            *map(_relabeling, endpoint["relabelings"]),
            *_through(api, endpoint["path"]),
        ],
    }


def _selected(selector: Object) -> Iterator[Object]:
    """Return the rules that keep what a label selector selects."""
    _of(selector, "matchLabels", "matchExpressions")
    wanted = {label: [value] for label, value in selector.get("matchLabels", {}).items()}
    for expression in selector.get("matchExpressions", ()):
        if expression["operator"] != "In":
            raise NotImplementedError(f"matchExpressions: {expression}")
        wanted[expression["key"]] = expression["values"]
    for label, values in wanted.items():
        yield {
            "action": "keep",
            "source_labels": [f"{POD}_label_{word(label)}"],
            "regex": "|".join(map(re.escape, values)),
        }


def _relabeling(rule: Object) -> Object:
    """Return a rule of the PodMonitor in Prometheus' spelling."""
    _of(rule, "action", "sourceLabels", "targetLabel")
    return {"action": rule["action"], "source_labels": rule["sourceLabels"], "target_label": rule["targetLabel"]}


def _through(api: str, path: str) -> Iterator[Object]:
    """Return the rules that read a pod's `path` through the API server. `instance` stays the pod's address and port."""
    yield _copied("__address__", "instance")
    yield {
        "source_labels": ["__meta_kubernetes_namespace", f"{POD}_name", f"{POD}_container_port_number"],
        "regex": "(.+);(.+);(.+)",
        "target_label": "__metrics_path__",
        "replacement": f"/api/v1/namespaces/$1/pods/$2:$3/proxy{path}",
    }
    yield {"target_label": "__address__", "replacement": api}


def _copied(source: str, target: str) -> Object:
    return {"source_labels": [source], "target_label": target}


def _of(part: Object, *known: str) -> Object:
    """Return `part`, after a check that it has no other fields."""
    if unknown := part.keys() - set(known):
        raise NotImplementedError(f"a PodMonitor's {sorted(unknown)} are not translated")
    return part
