"""A release of the chart in a namespace: installed, tested and removed by Helm, read by kubectl."""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tests.e2e.cluster import Namespace, Object, eventually
from tests.e2e.lines import LOCAL_ERROR, PROBES, Line, Result, result
from tests.images import engine
from tests.images.command import CommandError, run
from tests.metrics_page import values

COMPONENTS = ("tcp-echo", "udp-echo", "http-echo", "prober")
AT_ONCE = "prober.updateStrategy.rollingUpdate.maxUnavailable"  # probers that are replaced at the same time
#: So that faults show soon and a change is at every node at once; how that goes by default has a test of its own.
FAST = {"prober.intervalSeconds": 1, "prober.timeoutSeconds": 1, AT_ONCE: "100%"}
PREFIXED = re.compile(r"\[pod/(?P<pod>[^/]+)/[^\]]+\] (?P<at>\S+) ?(?P<text>.*)")

LOADED = "plan loaded"  # in the line of a prober that has taken a plan

Log = dict[str, list[Line]]  # by pod
Mark = Mapping[str, Sequence[Line]]  # a log as it was at an instant; counting lines needs no two clocks to agree


def loaded_images() -> dict[str, object]:
    """Build the images of this checkout and load them onto the nodes. Return them as values for the chart.

    E2E_LOAD is the command that loads them. Without it the nodes must be able to get them by themselves.
    """
    baked = engine.baked()
    if load := os.environ.get("E2E_LOAD"):
        run(*shlex.split(load), *baked.values(), seconds=300)
    registry, _, tag = baked["prober"].rpartition("smoker-prober:")
    return {"imageRegistry": registry.rstrip("/"), "imageTag": tag}


@dataclass
class Release:
    """One release. `values` are dotted paths: {"tcpEcho.port": 18080}."""

    name: str
    namespace: Namespace
    helm_program: str
    values: dict[str, object] = field(default_factory=dict)

    @property
    def selector(self) -> str:
        return f"app.kubernetes.io/name=smoker,app.kubernetes.io/instance={self.name}"

    def helm(self, *arguments: str, seconds: float = 150) -> str:
        return run(self.helm_program, "--namespace", self.namespace.name, *arguments, seconds=seconds, stderr_too=True)

    def install(self, changed: Mapping[str, object] | None = None, chart: str = "charts/smoker") -> str:
        """Install or upgrade with changed values, and wait, also until each prober has loaded a changed plan."""
        self.values |= changed or {}
        plan = self._plan()
        before = self._loads() if plan else {}
        values = [f"--set-json={path}={json.dumps(value)}" for path, value in self.values.items()]
        try:
            said = self.helm("upgrade", "--install", self.name, chart, "--wait", "--timeout=120s", *values)
        except CommandError as error:
            raise CommandError(f"{self._why()}{error}") from None
        if plan and plan != self._plan():
            self._refresh(before)
        return said

    def rolled_out(self) -> None:
        """Wait until every prober is new and ready: Helm 3 returns while `maxUnavailable` of them are not."""
        how = ("--selector", self.selector, "--timeout=120s")
        self.namespace.kubectl("rollout", "status", "daemonset", *how, seconds=130)

    def _plan(self) -> str:
        """Return the plan in the API server; empty without one."""
        found = self.namespace.items("configmaps", f"{self.selector},app.kubernetes.io/component=plan")
        return "".join(one["data"]["plan.yaml"] for one in found)

    def _loads(self) -> dict[str, int]:
        """Return how often each running prober has loaded a plan so far."""
        pods = [*self.pods("prober"), *self.pods("host")]
        counts = {pod["metadata"]["name"]: 0 for pod in pods if pod["status"]["phase"] == "Running"}
        wanted = f"{self.selector},app.kubernetes.io/component in (prober,host)"
        how = ("--prefix", "--tail=-1", "--max-log-requests=1000", "--ignore-errors")
        # One call for all of them: kubectl takes much longer to start than to read a log.
        for line in self._logs(wanted, (), *how).splitlines():
            name = line.removeprefix("[pod/").partition("/")[0]
            if LOADED in line and name in counts:
                counts[name] += 1
        return counts

    def _refresh(self, before: Mapping[str, int]) -> None:
        """Wait until each prober that existed before has loaded the new plan.

        The kubelet looks at a ConfigMap again when it looks at the pod: about once a minute, or when the pod changes.
        """

        def taken() -> None:
            pods = self.pods("prober") + self.pods("host")
            stayed = [pod["metadata"]["name"] for pod in pods if pod["metadata"]["name"] in before]
            now = self._loads()
            waiting = [name for name in stayed if now.get(name, 0) <= before[name]]
            if waiting:
                self.namespace.kubectl(
                    "annotate", "--overwrite", "pods", *waiting, f"smoker-e2e/seen={time.time():.0f}"
                )
            assert not waiting

        eventually("each prober has taken the new plan", 90, taken)

    def test(self) -> str:
        """Return the output of `helm test --logs`. Raises CommandError if it fails."""
        return self.helm("test", self.name, "--logs", "--timeout=60s")

    def uninstall(self) -> None:
        self.helm("uninstall", self.name, "--wait", "--timeout=120s")

    def pods(self, component: str = "") -> list[Object]:
        """Return the pods of one component or of all, without terminating ones."""
        wanted = self.selector + (f",app.kubernetes.io/component={component}" if component else "")
        return [p for p in self.namespace.items("pods", wanted) if "deletionTimestamp" not in p["metadata"]]

    def uids(self) -> dict[str, set[str]]:
        """Return the uids of each component's pods, which distinguish them from their replacements."""
        return {name: {pod["metadata"]["uid"] for pod in self.pods(name)} for name in COMPONENTS}

    def restarts(self) -> int:
        """Return how often containers of this release have restarted."""
        statuses = [status for pod in self.pods() for status in pod["status"].get("containerStatuses", ())]
        return sum(status["restartCount"] for status in statuses)

    def log(self, component: str = "prober", without: Collection[str] = ()) -> Log:
        """Return all lines of a component's pods so far; "a|b" means two components."""
        wanted = f"{self.selector},app.kubernetes.io/component in ({component.replace('|', ',')})"
        how = ("--prefix", "--timestamps", "--tail=-1", "--max-log-requests=1000")
        found: Log = {}
        for written in self._logs(wanted, without, *how).splitlines():
            line = PREFIXED.fullmatch(written)
            assert line, f"kubectl wrote: {written}"
            found.setdefault(line["pod"], []).append(Line(datetime.fromisoformat(line["at"]), line["text"]))
        return found

    def _logs(self, wanted: str, without: Collection[str], *how: str) -> str:
        if not without:
            try:
                return self.namespace.kubectl("logs", "--selector", wanted, *how)
            except CommandError as error:
                if error.code is not None:
                    raise
            # The way from the API server to a kubelet can hang while a node is drained or the machine is busy.
            return self.namespace.kubectl("logs", "--selector", wanted, *how, seconds=120)
        pods = [pod for pod in self.namespace.items("pods", wanted) if pod["spec"]["nodeName"] not in without]
        return "".join(self.namespace.kubectl("logs", pod["metadata"]["name"], *how[:-1]) for pod in pods)

    def results(self, since: Mark | None = None) -> list[Result]:
        """Return the probers' results for the echo services since a mark, the oldest first."""
        return [found for found in self.all_results(since) if not found.peer]

    def all_results(
        self, since: Mark | None = None, component: str = "prober", without: Collection[str] = ()
    ) -> list[Result]:
        """Return the same including the results for peers. `without`: nodes whose pods' logs are unavailable now."""
        mark = since or {}
        logs = self.log(component, without).items()
        lines = (line for pod, all_lines in logs for line in all_lines[len(mark.get(pod, ())) :])
        return sorted((found for line in lines if (found := result(line))), key=lambda found: found.at)

    def latest(self, since: Mark | None = None) -> dict[tuple[str, str], str]:
        """Return the outcome of each node's latest probe of each protocol."""
        return {(found.node, found.probe): found.outcome for found in self.results(since)}

    def becomes(self, outcome: str, nodes: set[str], *, since: Mark | None = None, seconds: float = 60) -> None:
        """Wait until each protocol's latest outcome on every node is this one; "a|b" is either of two."""
        wanted = {(node, probe) for node in nodes for probe in PROBES}

        def all_of_them() -> None:
            seen = self.latest(since)
            found = {key: seen.get(key, "none") for key in wanted | set(seen)}
            assert set(found.values()) <= set(outcome.split("|")), f"{found}"

        eventually(f"{outcome} for TCP, UDP and HTTP on every node", seconds, all_of_them)

    def stays_healthy(self, nodes: set[str], rounds: int = 2) -> None:
        """Check that each probe of every node's next rounds succeeds.

        Those that a prober itself could not make do not count.
        """
        mark = self.log()

        def enough() -> list[Result]:
            seen = [found for found in self.results(mark) if found.outcome != LOCAL_ERROR]
            for node in nodes:
                for probe in PROBES:
                    count = sum((found.node, found.probe) == (node, probe) for found in seen)
                    assert count >= rounds, f"{count} results of {probe} on {node}"
            return seen

        assert [found for found in eventually("more rounds", 60, enough) if found.outcome != "success"] == []

    def metrics(self, pod: str) -> dict[str, float]:
        """Return a pod's metrics, read from inside it."""
        ask = (
            "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9464/metrics', timeout=20).read().decode())"
        )
        return values(self.namespace.kubectl("exec", pod, "--", "python3", "-c", ask, seconds=60))

    def _why(self) -> str:
        """Return why pods wait, if it is known."""
        waiting = {}
        for pod in self.namespace.items("pods", self.selector):
            states = [container["state"] for container in pod["status"].get("containerStatuses", ())]
            waiting[pod["metadata"]["name"]] = [s["waiting"].get("reason") for s in states if "waiting" in s]
        if any("Image" in str(reasons) for reasons in waiting.values()) and not os.environ.get("E2E_LOAD"):
            return (
                "The nodes lack the images: set E2E_LOAD to the command that loads them, such as "
                "E2E_LOAD='kind load docker-image', or push them and set REGISTRY.\n"
            )
        return "".join(f"{pod} waits: {reasons}\n" for pod, reasons in waiting.items() if reasons)
