"""The reader of the plan with any file: the result is a plan or mistakes, never an exception."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smoker_prober.config.document import MOST, Mistake
from smoker_prober.config.load import read
from smoker_prober.config.plan import Plan, keys
from smoker_prober.config.reader import MISTAKES
from smoker_prober.config.target_list import Entry
from smoker_prober.probes import PROBES
from tests.prober.config import plan_schema

EXAMPLES = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
OTHERS = ["<<", "30s", "-1", "1e3", "tcp", "http", "connect", "https://a/b", "a b", "~", "on", "12:30"]
WORDS = sorted({part for key in keys() for part in key.name.split(".")} | {*Entry.__dataclass_fields__, *OTHERS})
SIGNS = [*(":-?#,{}[]&*!|>%@`" + "'" + '"'), ": ", "- ", "? ", "\n", "\n  ", "\t", "---\n", "&a ", "*a", "!!"]
ENDS = ("\n", "\r", "\x85", "\u2028", "\u2029")  # of a line, to YAML
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(WORDS)
NAMES = st.sampled_from(WORDS) | st.text(max_size=4)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


def judged(content: bytes) -> list[Mistake]:
    """Return the mistakes: each has a line of the file and a short text, and their number is bounded."""
    plan, mistakes = read(content)
    lines = sum(content.count(end.encode()) for end in ENDS)
    assert len(mistakes) <= MISTAKES
    for mistake in mistakes:
        assert 0 <= mistake.line <= lines + 2
        assert mistake.text
        assert len(mistake.text) < 2000
    assert isinstance(plan, Plan)
    return mistakes


@EXAMPLES
@given(st.binary(max_size=200))
def test_bytes(content: bytes) -> None:
    """Any bytes give a plan or mistakes."""
    judged(content)


@EXAMPLES
@given(st.lists(st.sampled_from([*WORDS, *SIGNS]), max_size=40).map("".join))
def test_words_and_signs(text: str) -> None:
    """The words of a plan and the signs of YAML in any order: anchors, tags, documents, half a map."""
    judged(text.encode())


@pytest.mark.parametrize("probe", [name for name, each in PROBES.items() if not {"http", "https"} & {*each.schemes}])
def test_a_url_of_another_probe(probe: str) -> None:
    """An entry whose probe is not the one of its URL is one mistake, whatever options the two probes have."""
    for url in ("https://a/b", "dns://a/b?type=A", "tls://a?serverName=b", "wss://a/b", "grpc://a:1?service=b"):
        if url.partition(":")[0] not in PROBES[probe].schemes:
            (mistake,) = judged(f"targets:\n- {{name: t, url: '{url}', probe: {probe}}}\n".encode())
            assert f"probe {probe} beside a URL of the probe" in mistake.text


@EXAMPLES
@given(st.dictionaries(st.sampled_from([*WORDS, "targets", "probes"]), VALUES, max_size=6))
def test_values_of_any_shape(value: dict[str, Any]) -> None:
    """Valid YAML with known and unknown keys, and values of any type under them."""
    judged(yaml.safe_dump(value, allow_unicode=True).encode(errors="replace"))


@EXAMPLES
@given(st.integers(1, 30), st.integers(0, 12))
def test_aliases_of_aliases(wide: int, deep: int) -> None:
    """A few lines can mean billions of nodes: the reader makes one mistake of each item and enters none of them."""
    lines = ["a0: &a0 [x]", *(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * wide)}]" for n in range(deep))]
    mistakes = judged(("\n".join(lines) + f"\ntargets: *a{deep}\nprobes: *a{deep}\n").encode())
    items = wide if deep else 1
    assert len(mistakes) == len(lines) + items + 1  # unknown keys, items of `targets`, `probes`


@pytest.mark.parametrize(
    ("targets", "types"), [(1, 1), (100, MOST // 100 - 3), (100, MOST // 100 - 2), (600, 600), (1000, 20_000)]
)
def test_aliases_of_a_list(targets: int, types: int) -> None:
    """Aliases can repeat a list in every target: the reader stops after MOST values and makes one mistake of it."""
    shared = f"dns: &o {{type: [{', '.join(['A'] * types)}]}}"
    lines = [f"- {{name: t{n}, probe: dns, host: h, {'dns: *o' if n else shared}}}" for n in range(targets)]
    mistakes = judged(("targets:\n" + "\n".join(lines)).encode())
    values = targets * (3 + types)  # name, probe and host of each
    too_many = f"more than {MOST} values, with those that aliases repeat"
    assert [mistake.text.partition(": ")[2] for mistake in mistakes] == ([too_many] if values > MOST else [])


def test_the_words_are_those_of_the_schema() -> None:
    """The fuzzer knows every key at the top of the file."""
    assert plan_schema.plan()["properties"].keys() <= set(WORDS)
