"""Read PromQL far enough to compare metrics and labels of an expression with docs/metrics.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tests.metrics_page import PAGE, rows, words

TARGET_LABELS = re.compile(r"^\| (?P<labels>`[a-z_`, ]+`) \| the pod", re.MULTILINE)
SUFFIXES = {"counter": [""], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"], "summary": ["_sum", "_count"]}
# What docs/metrics.md does not list as a service's: of Prometheus itself, of kube-state-metrics, of recording rules.
FOREIGN = re.compile(r"up|ALERTS|kube_[a-z_]+|smoker:[a-z_:]+")
OF_ALERTS = {"alertname", "alertstate", "severity"}

STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`')
COMMENT = re.compile(r"#.*")
SELECTOR = re.compile(r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)\s*\{(?P<matchers>[^}]*)\}")
GROUPING = re.compile(r"\b(?P<word>by|without|on|ignoring|group_left|group_right)\s*\((?P<labels>[^)]*)\)")
WORD = re.compile(r"(?<![\w.:$])[a-zA-Z_:][a-zA-Z0-9_:]*")
MADE = re.compile(
    r'[)}\]]\s*,\s*"(?P<label>[a-z_]\w*)"\s*,'
)  # by label_join and label_replace: it follows their expression
NO_METRICS = {"and", "or", "unless", "offset", "bool", "inf", "nan", "start", "end", "group_left", "group_right"}


@dataclass(frozen=True)
class Selector:
    """A metric of an expression with the labels that it matches."""

    metric: str
    labels: frozenset[str]


def selectors(expression: str) -> Iterator[Selector]:
    """Return every metric that an expression reads, with the labels that select it."""
    text = COMMENT.sub("", STRING.sub('""', expression))
    for found in SELECTOR.finditer(text):
        labels = re.findall(r"([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)", found["matchers"])
        yield Selector(found["name"], frozenset(labels))
    rest = re.sub(r"\[[^\]]*\]", "", GROUPING.sub("", SELECTOR.sub("", text)))
    for found in WORD.finditer(rest):
        called = rest[found.end() :].lstrip().startswith("(")
        if not called and found[0].lower() not in NO_METRICS:
            yield Selector(found[0], frozenset())


def grouped(expression: str) -> set[str]:
    """Return the labels by which an expression groups or matches."""
    text = COMMENT.sub("", STRING.sub('""', expression))
    return {label.strip() for found in GROUPING.finditer(text) for label in found["labels"].split(",") if label.strip()}


@cache
def documented() -> dict[str, frozenset[str]]:
    """Return the labels of every series in docs/metrics.md, without those that the scrape adds."""
    found: dict[str, frozenset[str]] = {}
    for name, row in rows().items():
        for suffix in SUFFIXES[row.kind]:
            found[name + suffix] = row.labels | ({"le"} if suffix == "_bucket" else set())
    return found


@cache
def target_labels() -> frozenset[str]:
    """Return the labels that the scrape adds to every series, by docs/metrics.md."""
    return frozenset[str]().union(*map(words, TARGET_LABELS.findall(PAGE.read_text())))


def mistakes(expression: str) -> list[str]:
    """Return what an expression reads that docs/metrics.md does not contain."""
    said = []
    for selector in selectors(expression):
        if FOREIGN.fullmatch(selector.metric):
            continue
        if selector.metric not in documented():
            said.append(f"docs/metrics.md has no {selector.metric}")
            continue
        unknown = selector.labels - documented()[selector.metric] - target_labels()
        said += [f"{selector.metric} has no label {label}" for label in sorted(unknown)]
    known = target_labels().union(OF_ALERTS, MADE.findall(expression), *documented().values())
    said += [f"no series has a label {label}" for label in sorted(grouped(expression) - known)]
    return said
