"""Certificates of targets that expire: which probers report it, severity and words."""

from __future__ import annotations

import msgspec
import pytest

from smoker_diagnosis.component import Scope
from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.finding import Finding
from smoker_diagnosis.gather import Evidence
from smoker_diagnosis.state import PathState, State, decode, encode
from smoker_diagnosis.text import is_fault, lines
from tests.diagnosis.mesh import AT, Cluster, nodes

DAY = 86_400.0
EXPIRES = 1_796_205_600.0  # 2026-12-02 10:00 UTC


def to_api(expires_in: float = 0.0, last: str = "success") -> PathState:
    """Return a path to the API server whose certificate expires in so many seconds; 0: not soon."""
    expires = EXPIRES if expires_in else 0.0
    streak = 0 if last == "success" else 3
    return PathState(
        "external",
        "api",
        "other",
        "",
        "tls",
        last=last,
        at=AT - 20.0,
        attempts=3,
        streak=streak,
        expires=expires,
        expires_in=expires_in,
    )


def states(*paths: PathState) -> list[State]:
    """Return a healthy mesh in which the first probers have these paths, too, as a hub decodes it."""
    found = Cluster(nodes(4)).states()
    more = {number: [path] for number, path in enumerate(paths)}
    changed = [msgspec.structs.replace(each, paths=[*each.paths, *more.get(n, [])]) for n, each in enumerate(found)]
    return [decode(encode(each)) for each in changed]


def one(found: list[Finding]) -> Finding:
    (finding,) = (each for each in found if each.kind == "certificate")
    return finding


@pytest.mark.parametrize(
    ("expires_in", "severity", "words"),
    [
        (15 * DAY, "info", "INFO target api: its certificate expires on 2026-12-02 10:00 UTC, confidence 99 %"),
        (14 * DAY, "warning", "WARNING target api: its certificate expires on 2026-12-02 10:00 UTC, confidence 99 %"),
        (2 * DAY, "warning", "WARNING target api: its certificate expires on 2026-12-02 10:00 UTC, confidence 99 %"),
        (-DAY, "warning", "WARNING target api: its certificate expired on 2026-12-02 10:00 UTC, confidence 99 %"),
    ],
)
def test_a_certificate_that_expires(expires_in: float, severity: str, words: str) -> None:
    """The finding is a warning from 14 days before expiry, never critical, and info before that. It has the date.

    It is no fault of the network, not even when the certificate has expired.
    """
    finding = one(diagnose(states(to_api(expires_in), to_api(expires_in), to_api())))
    head, evidence, step = lines(finding)
    assert (finding.severity, finding.scope, is_fault(finding)) == (severity, Scope("target", ("api",)), False)
    assert head == words
    assert evidence == "  evidence: 2 of 3 paths to it show that certificate"
    assert step == "  next: renew the certificate of api; smoker-prober probe tls HOST PORT shows its chain"


def test_a_certificate_that_lasts() -> None:
    """Without a prober that reports an expiry there is no finding."""
    assert diagnose(states(to_api(), to_api())) == []


def test_a_target_whose_certificate_expired() -> None:
    """An expired certificate that fails every probe of the target is named beside the target that fails."""
    failing = to_api(-DAY, "tls_error")
    found = diagnose(states(failing, failing))
    assert [each.kind for each in found] == ["target", "certificate"]


def test_it_is_renewed_from_look_to_look() -> None:
    """A new state of the target makes the diagnosis read no other path, and updates the finding."""
    evidence = Evidence()
    assert diagnose(states(to_api()), evidence=evidence) == []
    assert one(diagnose(states(to_api(DAY)), evidence=evidence)).severity == "warning"
    assert diagnose(states(to_api()), evidence=evidence) == []
