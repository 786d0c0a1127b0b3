"""A changed value replaces exactly the pods that it concerns."""

from __future__ import annotations

import re

import pytest

from .render import ALL, ECHOES, ROWS, VALUES_KEY, WORKLOADS, Helm, Rendered, at, merged, nested
from .selection import pods

PROBERS = {"prober", "host"}
EVERY = {*ECHOES, *PROBERS, "hub"}
# What a key, or all keys below a prefix, concern; the longest prefix counts.
#: Values of the plan, which probers read again while they run: a change restarts no pod.
PLANNED = (
    *(
        f"prober.{of}"
        for of in ("serverHost", "targets", "config", "probeApiServer", "intervalSeconds", "timeoutSeconds", "probes")
    ),
    *(
        f"prober.{of}"
        for of in ("udpPackets", "mtuIntervalSeconds", "flows", "keptFlow", "trace", "latency", "log.level")
    ),
    "mesh.peers",
)
CONCERNS: dict[str, set[str]] = {
    "commonLabels": set(),
    "commonAnnotations": set(),
    "commonPodLabels": EVERY,
    "commonPodAnnotations": EVERY,
    "global": EVERY,
    "extraObjects": set(),
    "revisionHistoryLimit": set(),
    "podSecurityContext": EVERY,
    "containerSecurityContext": EVERY,
    "rbac": set(),
    **{f"{of}.serviceAccount.annotations": set() for of in ("prober", "hub")},
    **{f"prober.{of}SecurityContext": {"prober"} for of in ("pod", "container")},
    "imageRegistry": EVERY,
    "imageTag": EVERY,
    "imagePullPolicy": EVERY,
    "imagePullSecrets": EVERY,
    "log": EVERY,
    "adminPort": {*WORKLOADS, "hub"},  # which the hub asks, too
    "cluster": {*PROBERS, "hub"},
    "lingerSeconds": EVERY,  # their grace, too
    "mesh": PROBERS,
    "dns": set(),
    "mesh.ports": {"prober"},
    "bandwidth": set(),
    **{f"bandwidth.{of}": {"prober"} for of in ("enabled", "port")},
    **{key: set() for key in PLANNED},
    "log.level": EVERY - PROBERS,
    **{f"{plane}.ports.{of}": {"udp-echo", *PROBERS} for plane in ("mesh", "hostNetwork") for of in ("udp", "stamp")},
    "hostNetwork": {"host"},
    "hostNetwork.adminPort": {"host", "hub"},
    "hostNetwork.enabled": {"prober", "hub"},  # each has more peers, and `host` is new
    "hub": {"hub"},
    "hub.enabled": set(),
    "hub.allowFrom": set(),
    "hub.ingress": set(),
    **{f"hub.ingress.{of}": {"hub"} for of in ("enabled", "hosts", "tls")},  # links in notifications
    **{f"hub.history.persistence.{of}": set() for of in ("size", "storageClass")},
    "service": set(),
    "test": set(),
    "networkPolicy": set(),
    "metrics": set(),
    "metrics.scrapeAnnotations": EVERY,
    "prober.updateStrategy": set(),
    **{VALUES_KEY[echo]: {echo} for echo in ECHOES},
    "prober": PROBERS,
}
ALERTS = [row.key.split(".")[2] for row in ROWS if re.fullmatch(r"metrics\.prometheusRule\.\w+\.enabled", row.key)]
# Another base makes other objects, so that there is nothing to compare; and nothing reads `enabled`. withoutLogin
# only allows an Ingress.
KEYS = [row.key for row in ROWS if row.key not in ("fullnameOverride", "enabled", "hub.ingress.withoutLogin")]
OTHER = merged(
    ALL,
    {
        "mesh": {"enabled": False},
        "hub": {"enabled": False, "history": {"persistence": {"enabled": True}}, "serviceAccount": {"create": False}},
        "prober": {"serviceAccount": {"create": False}},
        "rbac": {"create": False},
        "metrics": {"serviceMonitor": {"enabled": True}, "prometheusRule": {key: {"enabled": False} for key in ALERTS}},
    },
)  # what ci/all-values.yaml says but for what excludes the rest of it


def rolled(before: Rendered, after: Rendered) -> set[str]:
    """Return the workloads of both renderings whose pods differ."""
    old, new = pods(before), pods(after)
    return {component for component in EVERY & old.keys() & new.keys() if old[component] != new[component]}


@pytest.mark.parametrize("key", KEYS)
def test_a_value_rolls_only_the_workloads_it_concerns(any_helm: Helm, key: str) -> None:
    """A value changes exactly the pod templates of the workloads that it concerns, and it changes something."""
    of_alert = key.endswith(".enabled") and "prometheusRule." in key and key != "metrics.prometheusRule.enabled"
    on = {"enabled": not key.endswith(".enabled") or of_alert}
    narrow = {**on, "nodeCidrs": ["203.0.113.0/24"]}  # any address by default: then extraFrom adds nothing
    rules = {**on, "pathAlerts": not key.endswith(".pathAlerts")}  # else a hub leaves them out
    monitor = "serviceMonitor" if key.startswith("metrics.serviceMonitor.") else "podMonitor"  # one excludes the other
    base = {"networkPolicy": narrow, "metrics": {monitor: on, "prometheusRule": rules, "dashboards": on}}
    base |= {"hostNetwork": on} if key != "mesh.enabled" else {}
    claim = key.startswith("hub.history.persistence")  # it excludes more than one replica
    base |= {"hub": {"history": {"persistence": on}}} if claim else {}
    otlp = key.startswith("hub.otlp.") and not key.lower().endswith("endpoint")  # without one the others do nothing
    base |= {"hub": {"otlp": {"endpoint": "http://collector:4318"}}} if otlp else {}
    if key.endswith(".besideAlertmanager"):  # without a receiver of that type it does nothing
        base |= {"hub": {"notify": [{"type": "alertmanager", "url": "http://alertmanager:9093"}]}}
    base |= {"bandwidth": on} if key == "bandwidth.port" else {}
    ingress = key.startswith("hub.ingress.")
    open_to_all = {"enabled": not key.endswith(".enabled"), "hosts": ["a.example"], "withoutLogin": True}
    base |= {"hub": {"ingress": open_to_all}} if ingress else {}
    before = any_helm.render(base)
    after = any_helm.render(merged(base, nested(key, at(OTHER, key))))
    prefix = max((p for p in CONCERNS if f"{key}.".startswith(f"{p}.")), key=len)
    assert rolled(before, after) == CONCERNS[prefix] & pods(before).keys()
    assert before.objects != after.objects


def test_a_new_udp_port_rolls_the_probers(any_helm: Helm) -> None:
    """A UDP port that no echo had before restarts probers, too, because they answer no datagram from it."""
    for key in ("udpEcho.port", "udpEcho.stampPort"):
        assert rolled(any_helm.render(), any_helm.render(nested(key, 28081))) == {"udp-echo", "prober"}


def test_log_level_says_what_it_restarts() -> None:
    """The description of `log.level` names the pods that a change restarts, and the value that restarts none."""
    (text,) = (row.text for row in ROWS if row.key == "log.level")
    assert CONCERNS["log.level"] == {*ECHOES, "hub"}
    assert "A change restarts the echo services and the hub." in text
    assert CONCERNS["prober.log.level"] == set()
    assert "without a restart: `prober.log.level`" in text


def test_more_replicas_roll_nothing(any_helm: Helm) -> None:
    """One replica and several differ in how a pod ends; two and three do not."""
    for replicas, expected in ((1, {"tcp-echo"}), (2, set()), (3, set())):
        some, many = ({"tcpEcho": {"replicas": number}} for number in (replicas, replicas + 1))
        assert rolled(any_helm.render(some), any_helm.render(many)) == expected


def test_both_helms_agree(helm: Helm, any_helm: Helm) -> None:
    """Every Helm makes the same objects from the same values, so the results above hold for all."""
    for values in ({}, ALL):
        first, second = (sorted(h.render(values).objects, key=str) for h in (any_helm, helm))
        assert first == second
