"""The findings as JUnit's XML: which cases fail a CI run, and which do not."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import msgspec

from smoker_hub.hub import Hub
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub.stand_ins import ManualClock, Prober, hub_of, probers
from tests.hub.test_api import ask

NAMES = nodes(6)


def serve(found: list[Prober], cluster: Cluster, **echoes: list[str]) -> None:
    """Make the probers serve the states of `cluster`, with the places of the echoes' pods."""
    for prober, state in zip(found, cluster.states(), strict=True):
        prober.state = msgspec.structs.replace(state, echoes=echoes)


def suite(hub: Hub) -> ET.Element:
    """Return the API's JUnit XML."""
    (found,) = ET.fromstring(ask(hub, "/api/v1/findings", query="format=junit")[1].decode()).iter("testsuite")
    return found


def test_a_moved_echo_is_no_failed_case() -> None:
    """A move is a passing case with its text, and the network is healthy. Another fault fails the suite."""
    clock, well = ManualClock(), Cluster(NAMES, host=False)
    drained = Cluster(NAMES, host=False).fail_services(NAMES, ["tcp"], rounds=1, outcome="refused")
    with probers(well.states()) as found:
        hub = hub_of(found, clock)
        serve(found, well, tcp=["node-2"])
        hub.look()
        serve(found, drained, tcp=["node-4"])
        hub.look()
        hub.look()
        (incident,) = hub.incidents.open
        assert (incident.finding.kind, incident.finding.severity) == ("moved", "info")
        said = suite(hub)
        assert (said.get("tests"), said.get("failures"), said.get("errors")) == ("3", "0", "0")
        assert [each.get("name") for each in said.iter("testcase")][-1] == "the network is healthy"
        (told,) = said.iter("system-out")
        assert "node-2" in (told.text or "")
        incident.finding = msgspec.structs.replace(incident.finding, severity="warning")
        said = suite(hub)
        assert (said.get("tests"), said.get("failures"), said.get("errors")) == ("2", "1", "0")
