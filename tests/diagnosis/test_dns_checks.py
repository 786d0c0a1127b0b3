"""Checks of the DNS after half answers: what makes a race certain at once, and what ends it."""

from __future__ import annotations

import msgspec
import pytest

from smoker_diagnosis.component import ALL, NODE, Scope
from smoker_diagnosis.finding import Finding
from smoker_diagnosis.sightings import CERTAIN, Sightings
from smoker_diagnosis.state import AskedAgain, HalfAnswers
from smoker_diagnosis.text import lines
from tests.diagnosis.mesh import AT, Cluster, nodes

OF, OF_PODS = 16, 32  # look-ups of a check
LOOK_UPS = 40
BEGAN = AT - 15.0  # of the last check


def checked(
    halved: int,
    halved_pods: int = 0,
    *,
    sources: tuple[str, ...] = ("node-1",),
    checks: int = 1,
    whole: int = 0,
    half_at: float = AT - 20.0,
    halves: int = 1,
    silent_pods: int = 0,
) -> Cluster:
    """Return a mesh in which the probers of `sources` on the pod network had one half answer, and then these checks.

    The first `checks` found `halved` half answers by the Service, and as many `halved_pods`; later ones none, in
    `whole` look-ups. `halves`: look-ups of the rounds that were half answered, the last of them at `half_at`.
    `silent_pods`: look-ups at the pods to which nothing was answered.
    """
    found = Cluster(nodes(4), dns=("node-2", "node-3"))
    of = checks * OF + whole
    at, since = (BEGAN - 30.0, BEGAN) if whole else (BEGAN, 0.0)
    again = AskedAgain(of, halved, 2 * of, halved_pods, at if halved else 0.0, whole, since, silent_pods)
    for link, state in found.to_dns.items():
        if link.source in sources and link.plane == "service":
            first = half_at - 30.0 * (halves - 1)
            counts = HalfAnswers(halves, LOOK_UPS, half_at, first, again) if halves else HalfAnswers(0, LOOK_UPS)
            counts = msgspec.structs.replace(counts, again=again)
            found.to_dns[link] = msgspec.structs.replace(state, halves=counts, partly=min(halves, 3))
    return found


def races(found: Cluster) -> list[Finding]:
    """Return the races that are named."""
    return [each for each in found.findings() if each.layer == "dns_race"]


def test_a_check_makes_a_race_certain_after_one_half_answer() -> None:
    """Eight of 16 look-ups by the Service were half answered, and none at the pods: two looks open it."""
    (race,) = races(checked(8))
    assert (race.scope, race.confidence, race.share) == (Scope(NODE, ("node-1",)), CERTAIN, 0.5)
    assert "50 % of the DNS look-ups lose one of the two queries" in "\n".join(lines(race))
    sightings = Sightings()
    assert [sightings.see(race, now, 35.0) for now in (0.0, 5.0)] == [False, True]


def test_names_of_echoes_alone_lead_to_a_check() -> None:
    """No look-up of a round was half answered yet: the check followed a name of an echo that was not found."""
    assert [each.confidence for each in races(checked(8, halves=0))] == [CERTAIN]


@pytest.mark.parametrize(("halved", "halved_pods"), [(0, 0), (1, 0), (5, 0), (8, 4), (8, 16), (16, 16)])
def test_a_check_that_chance_or_loss_explains_names_nothing(halved: int, halved_pods: int) -> None:
    """Few half answers, or as large a share of them at the pods, which are asked without the Service."""
    assert races(checked(halved, halved_pods)) == []


@pytest.mark.parametrize(("halved", "silent"), [(8, 16), (7, 11), (3, 3)], ids=["of 2", "of 3", "of 10"])
def test_a_pod_that_answers_nothing_explains_half_answers(halved: int, silent: int) -> None:
    """Both queries of a look-up leave at once, so they can go to different pods: one of them answers, one does not."""
    assert races(checked(halved, silent_pods=silent)) == []


def test_beside_a_dns_pod_that_is_named_there_is_no_race() -> None:
    """Its look-ups fail from every node."""
    found = checked(8).fail_dns(lambda link: link.target == "node-2")
    assert [(each.layer, each.scope.nodes) for each in found.findings()] == [("dns_replica", ("node-2",))]


def test_checks_count_together() -> None:
    """Five of 16 are not enough, and ten of 32 are."""
    assert races(checked(5)) == []
    assert [each.confidence for each in races(checked(10, checks=2))] == [CERTAIN]


def test_loss_of_the_trains_explains_half_answers_of_a_check() -> None:
    """A node that loses a fifth of its packets is not said to have a race, whatever the pods answered meanwhile."""
    found = checked(8).lose(lambda link: link.crosses and "node-1" in (link.source, link.target), 6)
    assert races(found) == []


def test_races_of_several_nodes_are_one() -> None:
    """Two nodes whose checks are certain stand for every node."""
    assert [(each.scope, each.confidence) for each in races(checked(9, sources=("node-1", "node-3")))] == [
        (Scope(ALL), CERTAIN)
    ]


@pytest.mark.parametrize("halves", [1, 3])
def test_a_check_without_half_answers_ends_a_race(halves: int) -> None:
    """If half of the look-ups were lost before, 16 whole ones in a row are none by chance.

    The half answers of the last three rounds no longer count then.
    """
    assert races(checked(8, whole=16, half_at=AT - 60.0, halves=halves)) == []


def test_a_half_answer_after_whole_ones_shows_that_the_race_goes_on() -> None:
    """The whole look-ups were before it: they say nothing about now."""
    assert len(races(checked(8, whole=16, half_at=AT - 10.0))) == 1


def test_few_whole_answers_end_no_race_that_takes_few() -> None:
    """If a tenth of the look-ups are lost, 16 in a row succeed now and then."""
    assert len(races(checked(10, checks=6, whole=16, half_at=AT - 60.0))) == 1


@pytest.mark.parametrize(
    "again",
    [
        AskedAgain(16, 17, 32, 0, BEGAN),
        AskedAgain(16, 8, 32, 33, BEGAN),
        AskedAgain(16, -1, 32, 0, BEGAN),
        AskedAgain(16, 8, 32, 0, BEGAN, 9, BEGAN),
        AskedAgain(16, 8, 32, 0, AT + 60.0),
        AskedAgain(16, 8, 32, 0, BEGAN, silent_pods=33),
        AskedAgain(16, 8, 32, 0, BEGAN, silent_pods=-1),
    ],
)
def test_a_check_that_no_prober_can_have_made_is_left_out(again: AskedAgain) -> None:
    """More half answers than look-ups, or a check after the state was served: it is no evidence."""
    found = checked(8)
    for link, state in found.to_dns.items():
        if state.halves is not None:
            found.to_dns[link] = msgspec.structs.replace(
                state, halves=msgspec.structs.replace(state.halves, again=again)
            )
    assert races(found) == []
