"""Values of an older chart: they work, or the chart refuses them and names the new value (docs/upgrading.md)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.images.command import ROOT
from tests.old_chart import old_chart

from .render import ROWS, Helm, HelmError, Object, at, nested
from .values_table import CHART, rows

RENAMED: dict[str, str] = dict(
    re.findall(r"^\| `([\w.]+)` \| `([\w.]+)`", (ROOT / "docs" / "upgrading.md").read_text(), re.MULTILINE)
)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The older chart."""
    return old_chart(tmp_path_factory.mktemp("old"))


def without_renamed(values: Any, key: str = "") -> Any:
    """Return values without those of the table."""
    if not isinstance(values, dict):
        return values
    inner = {name: (f"{key}.{name}".lstrip("."), value) for name, value in values.items()}
    return {name: without_renamed(value, path) for name, (path, value) in inner.items() if path not in RENAMED}


def read(path: Path) -> Object:
    return dict(yaml.safe_load(path.read_text()))


def test_every_old_value_works(helm: Helm, old: Path) -> None:
    """A user who has set every value of the older chart, except those of the table, can install this chart."""
    assert helm.render(without_renamed(read(old / "ci" / "all-values.yaml"))).objects


def test_old_default_values_are_accepted(helm: Helm, old: Path) -> None:
    """What --reuse-values brings along, each default of the older chart, is accepted."""
    assert helm.render(read(old / "values.yaml")).objects


@pytest.mark.parametrize("key", RENAMED)
def test_a_renamed_value_is_refused_with_the_new_name(helm: Helm, key: str) -> None:
    """A value of the table is refused by its name, and the message says the new one, which the chart has."""
    with pytest.raises(HelmError, match=rf"{re.escape(key)}: is now .*{re.escape(RENAMED[key])}"):
        helm.render(nested(key, "something"))
    now = read(CHART / "values.yaml")
    assert at(now, key) is None
    assert at(now, RENAMED[key]) is not None


def test_every_value_that_is_gone_is_in_the_table(old: Path) -> None:
    """The table has each value of the older chart that this one lacks."""
    before = {row.key for row in rows((old / "values.yaml").read_text())}
    assert before - {row.key for row in ROWS} == before & set(RENAMED)
