"""A further target that fails from every node: the finding has the causes that the probes report, and a next step."""

from __future__ import annotations

import msgspec
import pytest

from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.finding import LONGEST_CAUSE, SHOWN_CAUSES, Finding
from smoker_diagnosis.state import PathState, Traced, decode, encode
from smoker_diagnosis.text import headline, lines, next_steps
from tests.diagnosis.mesh import AT, Cluster, failed, nodes

WRONG, CLOSED = "wait: status 503 for GET /", "wait: the server closed with code 1001"
ANSWERS = "  evidence: the target, or a proxy in front of it, answers: the network carries packets there and back"


def finding(outcome: str, *errors: str, traced: Traced | None = None) -> Finding:
    """Return the finding of a mesh in which a target fails with an error from each node, without one works."""
    works = PathState("external", "shop", "other", "", "http", "", "success", AT - 20.0, 3)
    states = Cluster(nodes(len(errors)), host=False).states()
    changed = []
    for state, error in zip(states, errors, strict=True):
        fails = msgspec.structs.replace(failed(works, 3, outcome, 20.0), error=error, traced=traced)
        changed.append(msgspec.structs.replace(state, paths=[*state.paths, fails if error else works]))
    (found,) = diagnose([decode(encode(state)) for state in changed])
    return found


def test_the_finding_has_the_causes() -> None:
    """The causes are in the evidence with the number of their paths, the most frequent first."""
    assert lines(finding("bad_reply", CLOSED, WRONG, WRONG, WRONG)) == [
        "FAULT target shop: fails from every node that probes it (wrong answer), for 60 s, confidence 95 %",
        "  evidence: 4 of 4 paths to it fail (wrong answer)",
        f"  evidence: HTTP on 3 paths: {WRONG}",
        f"  evidence: HTTP on 1 path: {CLOSED}",
        ANSWERS,
        "  next: read the log of the server of shop, and compare it with what the target expects",
    ]


@pytest.mark.parametrize(
    ("outcome", "answers", "step"),
    [
        ("tls_error", True, "smoker-prober probe tls HOST PORT   (in a prober's pod, with the host of shop: the cert"),
        ("refused", False, "check that the server of shop runs and listens on the target's port"),
        ("resolve_error", False, "check that the host name of shop exists; smoker-prober probe dns SERVER --name"),
        ("timeout", False, "smoker-prober probe trace HOST   (in a prober's pod, with the host of shop: every hop"),
        ("unreachable", False, "smoker-prober probe trace HOST   (in a prober's pod, with the host of shop: every hop"),
        ("reset", False, "smoker-prober probe trace HOST   (in a prober's pod, with the host of shop: every hop"),
    ],
)
def test_the_next_step_fits_the_outcome(outcome: str, *, answers: bool, step: str) -> None:
    """A target that answers clears the network of suspicion, any other outcome does not; the next step fits it."""
    found = finding(outcome, "cause", "cause")
    assert (ANSWERS in lines(found)) is answers
    (said,) = next_steps(found)
    assert said.startswith(step)


BEFORE = "when that path worked, 10.0.0.9 came next"


def test_the_last_hop_stands_beside_the_causes() -> None:
    """A target whose traces end at a router has that hop in its evidence, and what came next while it worked."""
    traced = Traced(AT, 1, "10.0.0.1", hops=["10.0.0.1"], before=["10.0.0.1", "10.0.0.9"])
    found = finding("timeout", *["connect: timed out"] * 3, traced=traced)
    assert lines(found)[1:4] == [
        "  evidence: 3 of 3 paths to it fail (no answer)",
        "  evidence: HTTP on 3 paths: connect: timed out",
        f"  evidence: last hop that answers: 10.0.0.1, hop 1 from node-1 to shop and on 2 more paths; {BEFORE}",
    ]


def test_one_node_reaches_it() -> None:
    """A target that one node of five still reaches does not fail from every node."""
    found = finding("timeout", "", *["connect: timed out"] * 4)
    assert headline(found).startswith("FAULT target shop: fails from nearly every node that probes it (no answer)")
    assert lines(found)[1] == "  evidence: 4 of 5 paths to it fail (no answer)"


def test_causes_are_few_and_short() -> None:
    """A finding has three causes at most, of 200 characters each, however many different ones the probers report."""
    causes = finding("bad_reply", *[f"{number:3}" + "x" * 500 for number in range(8)]).causes
    assert [(len(each.error), each.paths) for each in causes] == [(LONGEST_CAUSE, 1)] * SHOWN_CAUSES


def test_a_target_that_some_nodes_do_not_reach_is_listed_with_its_cause() -> None:
    """Paths without a common cause are listed with the error of their last probe."""
    found = finding("bad_reply", WRONG, "", "", "")
    assert found.kind == "unknown"
    assert f"  evidence: node-1 to shop (other, HTTP): wrong answer ({WRONG})" in lines(found)
