from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

import pytest

from . import helm_binary
from .render import Helm


@pytest.fixture(scope="session", params=helm_binary.MAJORS, ids=lambda major: f"helm{major}")
def helm(request: pytest.FixtureRequest) -> Helm:
    """Each available Helm in turn."""
    try:
        return Helm(helm_binary.helm(request.param), request.param)
    except helm_binary.HelmMissingError as missing:
        _missing(missing)


@pytest.fixture(scope="session")
def any_helm() -> Helm:
    """The newest available Helm, for tests of the templates, which do not depend on Helm's version."""
    try:
        major, program = helm_binary.newest()
    except helm_binary.HelmMissingError as missing:
        _missing(missing)
    return Helm(program, major)


def _missing(reason: helm_binary.HelmMissingError) -> NoReturn:
    if helm_binary.needed():
        pytest.fail(str(reason))
    pytest.skip(str(reason))


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Give the first of these tests more time, because it may have to download Helm."""
    for item in items:
        if item.path.parent == helm_binary.ROOT / "tests" / "chart":
            item.add_marker(pytest.mark.timeout(300))
