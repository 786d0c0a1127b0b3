"""The echo services answer on all of their addresses."""

from __future__ import annotations

import ipaddress
import os

import pytest

from tests.e2e.release import Release

pytestmark = pytest.mark.cluster


def families(addresses: list[str]) -> set[int]:
    return {ipaddress.ip_address(address).version for address in addresses}


def pod_addresses(pod: dict[str, dict[str, list[dict[str, str]]]]) -> list[str]:
    return [entry["ip"] for entry in pod["status"]["podIPs"]]


def from_a_prober(release: Release, *command: str) -> str:
    """Return the output of a command inside a prober's pod. Raises CommandError if it fails."""
    name = release.pods("prober")[0]["metadata"]["name"]
    return release.namespace.kubectl("exec", name, "--", *command)


def test_the_service_answers_on_each_family(shared: Release) -> None:
    """The Service has an address of each family that pods have, and all three protocols answer on each."""
    (service,) = shared.namespace.items("services", f"{shared.selector},app.kubernetes.io/component=server")
    addresses = service["spec"]["clusterIPs"]
    assert families(addresses) == families(pod_addresses(shared.pods("prober")[0]))
    if os.environ.get("CI") == "true":
        assert families(addresses) == {4, 6}, "CI needs a cluster with both families"
    for address in addresses:
        only = ("env", f"SERVER_HOST={address}", "CONFIG_FILE=")  # without the targets of the pod's plan
        assert "All 3 probes" in from_a_prober(shared, *only, "smoker-prober", "once")


@pytest.mark.parametrize(
    ("component", "probe", "port"), [("tcp-echo", "tcp", 8080), ("udp-echo", "udp", 8081), ("http-echo", "http", 8082)]
)
def test_each_echo_pod_answers_on_each_address(shared: Release, component: str, probe: str, port: int) -> None:
    """Each echo pod answers on each of its addresses."""
    (pod,) = shared.pods(component)
    for address in pod_addresses(pod):
        assert "1 answered" in from_a_prober(shared, "smoker-prober", "probe", probe, address, str(port))
