"""Options of probes: how they are declared, and how a URL's query sets them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from smoker_common.kinds import one_of, whole
from smoker_prober.probes import PROBES
from smoker_prober.probes.options import Declared, NoOptions, Url, declared, of_query, of_texts, option

KIND, NUMBER = one_of("A", "AAAA"), whole(1, 10)


@dataclass(frozen=True)
class Expect:
    """A group of options."""

    least_answers: int = option(1, NUMBER, "how many answers are enough")


@dataclass(frozen=True)
class Options:
    """Options of each form, and a field that is none."""

    record_type: str = option("A", KIND, "what is asked for")
    expect: Expect = option(Expect(), Expect, "what the answer must have")
    scheme: str = ""


def test_each_option_has_a_key() -> None:
    """An option's key is the field's name in camelCase, after its group's; a field without a declaration has none."""
    assert list(declared(Options)) == [
        Declared("recordType", ("record_type",), KIND, "A", "what is asked for"),
        Declared("expect.leastAnswers", ("expect", "least_answers"), NUMBER, 1, "how many answers are enough"),
    ]


def test_a_query_sets_options() -> None:
    """Each key replaces its default, also within a group; without a query the probe's defaults hold."""
    assert of_query(Options, "recordType=aaaa&expect.leastAnswers=3") == Options("AAAA", Expect(3))
    assert of_query(Options, "recordType=%41") == Options()
    assert of_query(Options, None) is None


def test_all_mistakes_are_named_together() -> None:
    """An unknown key and an unfit value are in one message, with what is allowed."""
    with pytest.raises(ValueError, match=r"color is none of recordType, expect\.leastAnswers; recordType='B' is not"):
        of_texts(Options, {"color": "red", "recordType": "B"})


@pytest.mark.parametrize("query", ["", "recordType", "recordType=A&recordType=A", "scheme=x", "&".join(["a=1"] * 99)])
def test_a_query_that_is_refused(query: str) -> None:
    """An empty query, a key without a value or repeated, an unknown field, and too many are refused."""
    with pytest.raises(ValueError, match=r"."):
        of_query(Options, query)


@pytest.mark.parametrize("name", PROBES)
def test_the_declaration_of_a_probe_is_complete(name: str) -> None:
    """Each probe has a description, its options have defaults, and its URL scheme has a pattern for people."""
    probe = PROBES[name]
    assert probe.help
    assert probe.options() == probe.options()
    assert all(each.help for each in declared(probe.options))
    assert bool(probe.schemes) == bool(probe.form)


def test_each_scheme_belongs_to_one_probe() -> None:
    """A URL means one probe."""
    schemes = [scheme for probe in PROBES.values() for scheme in probe.schemes]
    assert len(schemes) == len(set(schemes))


def test_the_port_of_a_url() -> None:
    """The port is the URL's own or its scheme's; a probe without a usual port needs one."""
    assert PROBES["http"].of_url(Url("https", "h"))[0] == 443
    assert PROBES["http"].of_url(Url("http", "h", 8080))[0] == 8080
    with pytest.raises(ValueError, match="needs a port"):
        PROBES["connect"].of_url(Url("tcp", "h"))
    assert PROBES["connect"].of_url(Url("tcp", "h", 1)) == (1, None)


def test_a_probe_without_options_has_no_path_and_no_query() -> None:
    """A path or query without a meaning is refused and not ignored."""
    for url in (Url("tcp", "h", 1, "/"), Url("tcp", "h", 1, None, "x=1")):
        with pytest.raises(ValueError, match=r"path|no options"):
            PROBES["connect"].of_url(url)
    assert NoOptions() == PROBES["connect"].options()
