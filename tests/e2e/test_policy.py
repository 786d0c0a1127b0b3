"""NetworkPolicies: one that denies is detected and named; the chart's own lets only Smoker through."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.e2e.cluster import Namespace
from tests.e2e.lines import PROBES
from tests.e2e.release import Release
from tests.images.command import CommandError

pytestmark = pytest.mark.cluster

DENY_ECHO = {"podSelector": {"matchLabels": {"app": "smoker-server"}}, "policyTypes": ["Ingress"]}
DENY_ALL = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
# The cluster's first address family alone: not every policy agent lets the neighbour discovery of IPv6 (RFC 4861) pass
# between pods of one node, and no policy can ask for it.
ONE_FAMILY = {"service.ipFamilyPolicy": "SingleStack"}
# Not less than the default: until a policy agent knows a new pod's address, as that of `helm test`, its probes wait.
PATIENT = {"prober.intervalSeconds": 1, "prober.timeoutSeconds": 5}


def test_a_policy_that_denies_makes_probes_time_out(shared: Release, nodes: set[str]) -> None:
    """While a policy closes the echo pods every node's probes time out and `helm test` reports it.

    Then both succeed again.
    """
    with shared.namespace.policy("deny-echo", DENY_ECHO):
        shared.becomes("timeout", nodes)
        with pytest.raises(CommandError) as caught:
            shared.test()
        assert "3 of 3 probes from" in caught.value.output
        assert re.search("^  evidence: ", caught.value.output, re.MULTILINE), "the hub has not named it"
        for probe in PROBES:
            assert f"{probe.lower()} (timeout)" in caught.value.output
    shared.becomes("success", nodes)
    shared.stays_healthy(nodes)
    assert "All 3 probes from" in shared.test()


@pytest.fixture(scope="module")
def closed(namespace: Namespace) -> Iterator[Namespace]:
    """A namespace in which no traffic is allowed."""
    with namespace.policy("deny-all", DENY_ALL):
        yield namespace


def test_network_policy_values_open_a_default_deny_namespace(
    closed: Namespace, images: dict[str, object], helm: str, nodes: set[str]
) -> None:
    """If policies deny by default, networkPolicy.enabled=true lets everything succeed; without it everything fails."""
    release = Release("smoker", closed, helm, {**PATIENT, **ONE_FAMILY, **images, "networkPolicy.enabled": True})
    release.install()
    release.becomes("success", nodes)
    release.stays_healthy(nodes)
    assert "All 3 probes from" in release.test()
    pods = release.uids()
    release.install({"networkPolicy.enabled": False})
    release.becomes("resolve_error|timeout", nodes)  # the name, or where its servers may be reached, the echo
    with pytest.raises(CommandError, match="3 of 3 probes from"):
        release.test()
    assert release.uids() == pods, "a policy must restart nothing"
