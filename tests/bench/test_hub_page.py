"""The tables that `make bench-hub` writes into the documents; nothing is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.hub.__main__ import main
from tests.bench.hub.page import BEGIN, COSTS, END, HUB, OF_COSTS, OF_HUB, Measured, publish
from tests.marked import inside

TEN = Measured(10, 630, 0.0123, 0.1, 40_000, 0.02, 2_000)
MOST = Measured(5_000, 315_000, 2.71, 13.2, 300_032, 2.21, 161_000)


def test_both_pages_get_every_row(tmp_path: Path) -> None:
    """A run puts a row for each number of probers into both pages, in place of what was there, and leaves the rest."""
    hub, costs = tmp_path / "hub.md", tmp_path / "costs.md"
    for page in (hub, costs):
        page.write_text(f"before\n\n{BEGIN}\n\nold\n\n{END}\n\nafter\n")
    publish([TEN, MOST], "2026-11-29, commit 1f2a: `python -m tests.bench.hub --write`", hub, costs)
    table, said, made = inside(hub, BEGIN, END).strip().split("\n\n")
    assert table.removeprefix(OF_HUB).splitlines()[1:] == [
        "| 10 | 630 | 0.012 s | 2 | 39 MiB |",
        "| 5,000 | 315,000 | 2.7 s | 542 | 293 MiB |",
    ]
    assert ": the longest look at 5,000 probers took 13.2 s, the slowest answer to the page 2.2 s, and " in said
    assert made == "2026-11-29, commit 1f2a: `python -m tests.bench.hub --write`"
    assert inside(costs, BEGIN, END).strip().removeprefix(OF_COSTS).splitlines()[1:] == [
        "| 10 | 2 | 39 MiB | 300 MiB | 4,900 |",
        "| 5,000 | 542 | 293 MiB | 146 GiB | 2,450,000 |",
    ]
    for page in (hub, costs):
        assert page.read_text().startswith("before\n\n")
        assert page.read_text().endswith("\n\nafter\n")


def test_the_pages_have_the_place_and_the_columns() -> None:
    """Each page has the marks, and between them a table with the columns that the next run writes."""
    assert inside(HUB, BEGIN, END).strip().startswith(OF_HUB)
    assert inside(COSTS, BEGIN, END).strip().startswith(OF_COSTS)


def test_some_rows_do_not_replace_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """`--write` with some of the rows is refused before anything is measured."""
    with pytest.raises(SystemExit, match="2"):
        main(["--probers", "10", "--write"])
    assert "--write needs all rows" in capsys.readouterr().err


def test_the_readme_has_the_same_figures() -> None:
    """What README.md says of 100, 1,000 and 5,000 nodes is in the table of docs/costs.md; only that has `--write`."""
    rows = [row.strip("| ").split(" | ") for row in inside(COSTS, BEGIN, END).strip().splitlines()[2:]]
    of = {row[0]: row[1:] for row in rows}
    readme = (HUB.parents[1] / "README.md").read_text().partition("## What it costs")[2]
    lines = ("hub: CPU (thousandths of a core)", "hub: memory", "probers: memory", "probers: series in Prometheus")
    for column, name in enumerate(lines):
        (line,) = (each for each in readme.splitlines() if each.startswith(f"| {name} |"))
        cells = [cell.strip() for cell in line.strip("|").split("|")][2:]
        assert cells == [of[nodes][column] for nodes in ("100", "1,000", "5,000")], name
