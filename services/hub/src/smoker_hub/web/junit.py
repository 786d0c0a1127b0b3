"""The findings as JUnit XML, for CI systems: one case per open finding, failed unless it is harmless."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from smoker_common.log import escaped
from smoker_diagnosis.finding import is_harmless
from smoker_hub.web.views import Findings, Summary, View

HEARD = ("healthy", "faults", "unclear")


def findings(summary: Summary, found: Findings) -> str:
    """Return a suite: whether the hub can tell, each open finding, and whether the network is healthy if none fails."""
    heard = summary.state in HEARD
    cases = [_case("the hub hears the probers", "" if heard else f"<error message={_attribute(summary.sentence)}/>")]
    cases += [_of_finding(each) for each in found.open]
    if heard and all(is_harmless(each.finding) for each in found.open):
        unclear = f"<failure message={_attribute(summary.sentence)}/>" if summary.state != "healthy" else ""
        cases.append(_case("the network is healthy", unclear))
    errors, failures = (sum(f"<{word} " in case for case in cases) for word in ("error", "failure"))
    counts = f'tests="{len(cases)}" failures="{failures}" errors="{errors}"'
    name = f"smoker {summary.cluster}".strip()
    suite = f"<testsuite name={_attribute(name)} {counts}>\n{''.join(cases)}</testsuite>\n"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites {counts}>\n{suite}</testsuites>\n'


def _of_finding(view: View) -> str:
    lines = [*view.evidence, *(f"next: {step}" for step in view.next)]
    text = escape("\n".join(map(escaped, lines)))
    if is_harmless(view.finding):
        inside = f"<system-out>{escape(escaped(view.headline))}\n{text}</system-out>"
    else:
        inside = f"<failure message={_attribute(view.headline)} type={_attribute(view.finding.kind)}>{text}</failure>"
    return _case(f"{view.place}: {view.what}", inside)


def _case(name: str, inside: str) -> str:
    return f'<testcase classname="smoker" name={_attribute(name)}>{inside}</testcase>\n'


def _attribute(text: str) -> str:
    return quoteattr(escaped(text))
