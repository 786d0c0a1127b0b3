"""The hub on a real cluster: a fault of a node's overlay appears in its log, at the webhook, and in its history.

Further targets that fail are named, too: of each kind one, with its cause.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.alertmanager import ask as ask_alertmanager
from tests.alertmanager import serving
from tests.e2e import faults, wrong_targets
from tests.e2e.cluster import Object, addresses, eventually, fresh_namespace
from tests.e2e.health import Health, health_server
from tests.e2e.hub import ask, healthy, plugin
from tests.e2e.page import page
from tests.e2e.prometheus import Prometheus, watching
from tests.e2e.release import FAST, Release
from tests.e2e.wrong_targets import GOOD, WRONG, Wrong

pytestmark = pytest.mark.cluster

INTERVAL = {"prober.intervalSeconds": 5, "prober.timeoutSeconds": 1}
OVERLAY = ("-p", "udp", "--dport", "8472")
SENT = 'smoker_hub_notifications_total{outcome="sent",receiver="webhook"}'


@pytest.fixture(scope="module")
def health(nodes: set[str]) -> Iterator[Health]:
    with health_server(min(nodes)) as server:
        yield server


@pytest.fixture
def expired(nodes: set[str], tmp_path: Path) -> Iterator[Wrong]:
    with wrong_targets.expired(min(nodes), tmp_path) as target:
        yield target


@pytest.fixture(scope="module")
def alertmanager(nodes: set[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Alertmanager in the network of a node: the pods reach its address, and so does this machine."""
    node = min(nodes)
    host = next(each for each in addresses(node) if ":" not in each)
    with serving(tmp_path_factory.mktemp("alertmanager"), host, faults.inside(node)) as url:
        yield url


@pytest.fixture(scope="module")
def release(
    images: dict[str, object], helm: str, nodes: set[str], health: Health, alertmanager: str
) -> Iterator[Release]:
    """A release on both networks with a round every 5 s; the http-echo receives the webhook's messages."""
    assert len(nodes) >= 4, "these tests need four nodes"
    own = {
        **INTERVAL,
        "hub.notify": [
            {"type": "webhook", "url": "http://smoker-server:8082/"},
            {"type": "alertmanager", "url": alertmanager},
        ],
        "metrics.prometheusRule.fault.besideAlertmanager": True,  # the Prometheus here sends to none
        "hostNetwork.enabled": True,
        "prober.targets": {"orders": {"url": health.url}},
        "metrics.podMonitor.intervalSeconds": 1,  # of the Prometheus here
        "metrics.podMonitor.timeoutSeconds": 1,
    }
    with fresh_namespace(level="privileged") as namespace:
        made = Release("smoker", namespace, helm, {**FAST, **own, **images})
        made.install()
        yield made


def log(release: Release) -> list[str]:
    """Return the lines of the hub."""
    return [line.text for lines in release.log("hub").values() for line in lines]


def says(release: Release, *words: str) -> None:
    """Check that a line of the hub has all of these words."""
    find(log(release), *words)


def find(lines: Sequence[str], *words: str) -> None:
    assert [line for line in lines if all(word in line for word in words)], (words, lines[-5:])


def started(release: Release, times: int) -> None:
    kinds = [event["kind"] for event in ask(release, "events")["events"]]
    assert kinds.count("hub_started") == times, kinds


@pytest.fixture
def prometheus(release: Release, tmp_path: Path) -> Iterator[Prometheus]:
    with watching(release, tmp_path) as prometheus:
        yield prometheus


def firing(prometheus: Prometheus, *alerts: str) -> None:
    assert prometheus.alerts("firing") == set(alerts)


def active(alertmanager: str, *scopes: str) -> None:
    """Check that Alertmanager has exactly one active alert for each of these scopes, and none besides."""
    found = ask_alertmanager(alertmanager, "alerts", active="true")
    assert sorted(each["labels"]["scope"] for each in found) == sorted(scopes), found


def test_an_overlay_breaks_and_heals(release: Release, prometheus: Prometheus, alertmanager: str) -> None:
    """The hub logs HEALTHY, then FAULT with the node within a minute, then CLOSED.

    Both are sent, and a restart keeps them. The page shows the finding and its next command.

    To Prometheus it is one alert, and to Alertmanager, too.
    """
    begun = time.time()
    eventually("the hub has heard everybody", 60, lambda: says(release, "HEALTHY"))
    (hub,) = release.pods("hub")
    others = {pod["spec"]["nodeName"] for pod in release.pods("prober")} - {hub["spec"]["nodeName"]}
    node = max(others)
    with faults.healed():
        faults.drop(node, "INPUT", *OVERLAY)
        eventually("the fault is named", 60, lambda: says(release, "FAULT", node))
        eventually("one alert fires", 30, lambda: firing(prometheus, f"SmokerFault {node}"))
        eventually("Alertmanager has one alert", 30, lambda: active(alertmanager, node))
        with page(release) as tab:
            tab.page.wait_for_selector(f"h1.faults:has-text('{node}: no connection')")
            tab.page.wait_for_selector(f"article.critical:has-text('{node}'):has-text('kubectl')")
        said = plugin(release, "findings")
        assert (said.returncode, f"FAULT {node}: " in said.stdout) == (1, True), said
        moment = time.time()  # each path has failed by now, not only those that were enough to name the node
    eventually("the fault is over", 60, lambda: says(release, "CLOSED", node))

    def is_well() -> None:
        said = plugin(release, "status")
        assert (said.returncode, said.stdout[:8], said.stderr) == (0, "HEALTHY ", ""), said

    eventually("all is healthy", 60, is_well)  # while it heals, less of the node can fail for a moment
    name = hub["metadata"]["name"]

    def sent() -> None:
        assert release.metrics(name).get(SENT, 0) >= 2

    eventually("both were sent", 90, sent)
    eventually("no alert is left", 60, lambda: firing(prometheus))
    eventually("nor one in Alertmanager", 60, lambda: active(alertmanager))
    fired = prometheus.fired(begun)
    assert f"SmokerFault {node}" in fired
    assert all(alert.startswith("SmokerFault ") and node in alert for alert in fired), fired
    faults_said = {line for line in log(release) if "FAULT" in line}
    assert all(node in line for line in faults_said), faults_said
    release.namespace.kubectl("exec", name, "--", "python3", "-c", "import os; os.kill(1, 15)")  # the history survives
    eventually("the hub has started again", 60, lambda: started(release, 2))
    (view,) = ask(release, f"findings?at={moment}")["open"]
    assert view["finding"]["scope"]["nodes"] == [node]
    assert ask(release, f"summary?at={moment}")["state"] == "faults"
    matrix = ask(release, f"matrix?at={moment}&plane=pod&to={node}")
    assert set(matrix["state"]) - {"o", "l"}, matrix  # a prober without CPU does not count its failures: u


def opened(release: Release) -> dict[str, Object]:
    """Return the open findings that name a target, by its name."""
    found = [view["finding"] for view in ask(release, "findings")["open"]]
    return {each["scope"]["nodes"][0]: each for each in found if each["kind"] == "target"}


def fail_as(wrong: Mapping[str, Wrong], release: Release) -> None:
    """Check that these targets are named, and no others, each with its outcome and cause."""
    found = opened(release)
    assert found.keys() == wrong.keys()
    for name, each in wrong.items():
        assert {*found[name]["outcomes"]} <= {*each.outcomes}, found[name]
        causes = [cause["error"] for cause in found[name]["causes"]]
        assert causes, found[name]
        assert all(cause.startswith(each.cause) for cause in causes), causes


def work(names: Collection[str], release: Release, letters: str = "o") -> None:
    """Check that the hub has paths to these targets from every prober, in one of these states."""
    probers = len(release.pods("prober")) + len(release.pods("host"))
    states: dict[str, list[str]] = {name: [] for name in names}
    for path in ask(release, "paths?limit=2000")["paths"]:
        states.get(path["target"], []).append(path["state"])
    assert all(len(each) == probers and {*each} <= {*letters} for each in states.values()), states


def test_targets_of_each_kind_that_fail_are_named(release: Release, health: Health, expired: Wrong) -> None:
    """Targets come and change by `helm upgrade` without a restart. The hub names each that fails, with its cause.

    Of kinds http, websocket, tls and grpc some work; the others are named until they are mended or leave.
    """
    healthy(release)
    before = release.uids(), release.restarts()
    orders = {"url": health.url}
    wrong = {
        **WRONG,
        "orders": Wrong(orders, ("bad_reply",), "transfer: the health is NOT_SERVING", orders),
        "shop": expired,
        "nowhere": wrong_targets.unused(release.pods("prober")[0]["status"]["podIP"]),
    }
    health.set("NOT_SERVING")
    release.install({"prober.targets": {**GOOD, **{name: each.target for name, each in wrong.items()}}})
    eventually("each is named with its cause", 60, lambda: fail_as(wrong, release))
    eventually("the others work", 30, lambda: work(GOOD, release))
    lines = log(release)
    for name, each in wrong.items():
        find(lines, f"FAULT target {name}: fails from ", "node that probes it")  # not yet from each, perhaps
        find(lines, "evidence: ", each.cause)
    find(lines, "WARNING", "target shop: its certificate expired on ")
    eventually("its trace has ended", 30, lambda: says(release, "last hop that answers: ", " to nowhere"))
    health.set("SERVING")
    mended = {name: each.mended for name, each in wrong.items() if each.mended}
    release.install({"prober.targets": {**GOOD, **mended}})

    def closed() -> None:
        assert ask(release, "findings")["open"] == []

    eventually("none is named any more", 60, closed)
    lines = log(release)
    for name in wrong:
        find(lines, f"CLOSED target {name}: ")
    eventually("those that stay work", 30, lambda: work({**GOOD, **mended}, release, "ol"))  # "l": after failures
    assert (release.uids(), release.restarts()) == before
