"""Run Helm on the chart and return its objects."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from smoker_prober.config.plan import keys

from .values_table import CHART, rows

Object = dict[str, Any]
ROWS = rows((CHART / "values.yaml").read_text())
ALL: dict[str, Any] = yaml.safe_load((CHART / "ci" / "all-values.yaml").read_text())
WORKLOADS = ("tcp-echo", "udp-echo", "http-echo", "prober")
ECHOES = WORKLOADS[:3]
VALUES_KEY = {"tcp-echo": "tcpEcho", "udp-echo": "udpEcho", "http-echo": "httpEcho", "prober": "prober"}
HOST: dict[str, Any] = {"hostNetwork": {"enabled": True}}  # a prober more on each node, the component "host"
NO_MESH: dict[str, Any] = {"mesh": {"enabled": False}}
NO_HUB: dict[str, Any] = {"hub": {"enabled": False}}
NOT_IN_A_ROUND = {
    "TARGETS",
    "MESH_PEERS",
    "PROBE_API_SERVER",
    "DNS_NAME",
    "DNS_SERVICE",
    "DNS_NAMESPACE",
}  # variables of the plan that `once` ignores, or that the test pod leaves out
ENVIRON = {"GOGC": "400", **os.environ}  # less garbage collection: thousands of Helms run, each a moment
CLUSTER = {"kubeVersion": "1.31.0"}  # what Helm takes for the cluster's version, the same for every Helm


class HelmError(Exception):
    """Helm refused the chart; the message is Helm's."""


def at(tree: Any, path: str) -> Any:
    """Return the value at a dotted path; None if the path does not exist."""
    for step in path.split("."):
        if not isinstance(tree, Mapping):
            return None
        tree = tree.get(step)
    return tree


def nested(path: str, value: Any) -> dict[str, Any]:
    """Return a tree with one value at a dotted path."""
    for step in reversed(path.split(".")):
        value = {step: value}
    return dict(value)


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two trees of values as Helm merges them."""
    tree = dict(base)
    for key, value in over.items():
        old = tree.get(key)
        tree[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return tree


@dataclass(frozen=True)
class Rendered:
    """The objects of one release."""

    objects: list[Object]

    def get(self, kind: str, name: str) -> Object:
        found = [o for o in self.objects if o["kind"] == kind and o["metadata"]["name"] == name]
        if len(found) != 1:
            names = [(o["kind"], o["metadata"]["name"]) for o in self.objects]
            raise LookupError(f"{len(found)} objects are {kind} {name}; there are {names}")
        return found[0]

    def of_kind(self, *kinds: str) -> list[Object]:
        return [o for o in self.objects if o["kind"] in kinds]

    def component(self, component: str) -> Object:
        """Return the workload or the test pod of a component."""
        kinds = ("Deployment", "DaemonSet", "Pod")
        label = "app.kubernetes.io/component"
        (found,) = (o for o in self.of_kind(*kinds) if o["metadata"]["labels"][label] == component)
        return found

    def pod(self, component: str) -> Object:
        """Return metadata and spec of a component's pod."""
        found = self.component(component)
        return found if found["kind"] == "Pod" else dict(found["spec"]["template"])

    def container(self, component: str) -> Object:
        (container,) = self.pod(component)["spec"]["containers"]
        return dict(container)

    def env(self, component: str) -> dict[str, str]:
        """Return a component's plain variables, and the values of its plan by the variables that override them."""
        own = {e["name"]: e["value"] for e in self.container(component)["env"] if "value" in e}
        return self._planned(component) | own

    def plan(self) -> Object:
        """Return the plan of the probers."""
        (found,) = (o for o in self.of_kind("ConfigMap") if o["metadata"]["name"].endswith("-plan"))
        return dict(yaml.load(found["data"]["plan.yaml"], Loader=_Loader))

    def _planned(self, component: str) -> dict[str, str]:
        if not any(volume["name"] == "plan" for volume in self.pod(component)["spec"].get("volumes", ())):
            return {}
        plan = self.plan()
        told = {key.variable: _text(at(plan, key.name)) for key in keys() if key.variable}
        return {name: value for name, value in told.items() if component != "test" or name not in NOT_IN_A_ROUND}


@dataclass(eq=False)
class Helm:
    """One Helm program. It keeps what it has rendered."""

    program: str
    major: int
    kept: dict[str, Rendered] = field(default_factory=dict)

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        done = subprocess.run(
            [self.program, *arguments], check=False, capture_output=True, text=True, input=stdin, env=ENVIRON
        )
        if done.returncode:
            raise HelmError(done.stderr)
        return done.stdout

    def render(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        release: str = "smoker",
        namespace: str = "default",
        chart: Path = CHART,
    ) -> Rendered:
        """Return the objects of a release. Raises HelmError if the chart refuses the values."""
        asked = json.dumps([values, release, namespace, str(chart)], sort_keys=True)
        if asked not in self.kept:
            where = ["--namespace", namespace, "--kube-version", CLUSTER["kubeVersion"]]
            said = self.run("template", release, str(chart), *where, "--values", "-", stdin=json.dumps(values or {}))
            self.kept[asked] = Rendered([o for o in yaml.load_all(said, Loader=_Loader) if o])
        return self.kept[asked]


def _text(value: Any) -> str:
    """Return a value of the plan in the form of its variable."""
    if isinstance(value, list):
        return ",".join(f"{one['name']}={one.get('url', '')}" if isinstance(one, dict) else str(one) for one in value)
    if value is None:  # the plan leaves it out: the default holds
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Refuses a key that occurs twice in a map, which YAML readers otherwise accept."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        if len(set(keys)) != len(keys):
            raise ValueError(f"a key occurs twice: {keys}")
        return dict(super().construct_mapping(node, deep))


def strings(tree: Any) -> Iterator[str]:
    """Yield every text in a tree, including keys."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield str(key)
            yield from strings(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from strings(value)
    elif isinstance(tree, str):
        yield tree
