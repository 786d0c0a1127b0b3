from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.images import engine


@dataclass(frozen=True)
class Image:
    """The image of one service."""

    service: str
    tag: str


@pytest.fixture(scope="session", params=engine.SERVICES)
def image(request: pytest.FixtureRequest) -> Image:
    """The image of each service in turn."""
    return Image(request.param, engine.baked()[request.param])
