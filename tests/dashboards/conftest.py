from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chart.conftest import any_helm  # noqa: F401 (a fixture)
from tests.chart.render import Helm
from tests.promtool import installed

from .scene import Scene, playing, rules


@pytest.fixture(scope="module")
def scene(any_helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:  # noqa: F811
    """One run for all tests of a module."""
    installed("prometheus")
    with playing(tmp_path_factory.mktemp("scene"), rules(any_helm)) as scene:
        yield scene
