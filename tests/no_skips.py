"""In CI a skipped test fails: a test that is skipped proves nothing, and nobody would notice.

tests/conftest.py takes the hook of this module. `ALLOWED` has the only exceptions, by how their reason begins.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

#: Each exception, and why CI may have it.
ALLOWED = {
    "HELM names ": "a CI that sets HELM asks for this Helm alone",
    "a port below 1024 needs a privilege": "a CI without root runs the same test for every other port",
}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the report of a skipped test into that of a failed one."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        reason = reason_of(report)
        if not reason.startswith(tuple(ALLOWED)):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} was skipped, which CI does not allow: {reason}"
    return report


def reason_of(report: pytest.TestReport) -> str:
    """Return why a test was skipped."""
    assert isinstance(report.longrepr, tuple)
    return report.longrepr[2].removeprefix("Skipped: ")
