"""docs/logs.md lists every field of a JSON line, and the probes that have it."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import sys
from typing import Any

import pytest

from smoker_common import log
from smoker_diagnosis.flows import Flows
from smoker_diagnosis.path_mtu import PathMtu
from smoker_diagnosis.train import Train
from smoker_prober.probes import BY_HAND
from smoker_prober.probes.bandwidth import Rates
from smoker_prober.probes.trace import Hop
from smoker_prober.result import OUT, PHASES, Details, KeptFlow, Method, Outcome, Result, Rtt
from smoker_prober.sinks import log as sink
from tests.images.command import ROOT
from tests.prober.targets import peer_path, target

SECTION = (ROOT / "docs" / "logs.md").read_text().partition("## Fields of a JSON line")[2].partition("\n## ")[0]
ROW = re.compile(r"^\| `(\w+)` \| ([\w, ]+) \| ", re.MULTILINE)
#: Fields of a result that no line shows.
UNWRITTEN = ("address", "received", "began", "offender")
KEPT = KeptFlow(40_000, 2, 10.0)
TRAIN = Train(10, 4, 1, 1, 1, 2, 2, (0.001,), 0.001, unreadable=1)


def details_of(probe: str) -> Details | None:
    """Return details of a probe in which everything is known; None for a probe without details."""
    kind: Any = getattr(importlib.import_module(f"smoker_prober.probes.{probe}"), "Details", None)
    if kind in (None, Details):
        return None
    number = {"int", "float"}
    types = {each.name: set(re.findall(r"\w+", str(each.type))) for each in dataclasses.fields(kind)}
    others: dict[str, Any] = {"Hop": (Hop("10.0.0.1"),), "Rates": Rates(1e6, 1e6, 1, 1)}
    found: Details = kind(
        **{
            name: 1 if words & number else next((others[word] for word in words & others.keys()), "x")
            for name, words in types.items()
        }
    )
    return found


def written(probe: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """Return the fields of the line of a result in which everything is known."""
    udp: dict[str, Any] = {"train": TRAIN, "path_mtu": PathMtu(1450, 1400), "flows": Flows(16, 4), "kept": KEPT}
    known: dict[str, Any] = {
        "target": dataclasses.replace(target(probe), path=peer_path(zone="b")),
        "source": "node-1",
        "start": 0.0,
        "outcome": Outcome.TIMEOUT,
        "duration": 0.01,
        "phases": dict.fromkeys(PHASES, 0.001),
        "rtt": Rtt(0.001, Method.KERNEL),
        "retransmits": 1,
        "details": details_of(probe),
        "direction": OUT,
        "confirms": True,
        "error": "lost",
    }
    assert {each.name for each in dataclasses.fields(Result)} == {*known, *udp, *UNWRITTEN}, "a new field of a result"
    sink.write(Result(**known, **(udp if probe == "udp" else {})))
    return set(json.loads(capsys.readouterr().out))


def test_the_table_has_each_field_of_each_probe(capsys: pytest.CaptureFixture[str]) -> None:
    """The rows of the table are the fields that the probes write, each with the probes that write it."""
    log.configure("INFO", "json", results=sys.stdout)
    fields = {probe: written(probe, capsys) for probe in BY_HAND}
    table = {
        name: set(BY_HAND) if probes == "all" else set(probes.split(", ")) for name, probes in ROW.findall(SECTION)
    }
    every = set().union(*fields.values())
    assert table == {name: {probe for probe in BY_HAND if name in fields[probe]} for name in every}
