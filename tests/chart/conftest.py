from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

import pytest

from . import helm_binary
from .render import Helm


@pytest.fixture(scope="session", params=helm_binary.MAJORS, ids=lambda major: f"helm{major}")
def helm(request: pytest.FixtureRequest) -> Helm:
    """Each Helm that can be had, in turn."""
    try:
        return Helm(helm_binary.helm(request.param), request.param)
    except helm_binary.HelmMissingError as missing:
        _missing(missing)


@pytest.fixture(scope="session")
def any_helm() -> Helm:
    """The newest Helm that can be had, for what is the templates' doing and not Helm's."""
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
    """The first of these tests may have to download Helm: it gets more time than the others."""
    for item in items:
        if item.path.parent == helm_binary.ROOT / "tests" / "chart":
            item.add_marker(pytest.mark.timeout(300))
