"""What Grafana makes of the series it gets, as far as the overview needs it: rows of a table, texts, colours."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from .grafana import Json
from .prometheus import Series

Row = dict[str, Any]  # a column's name and its text or number
PALETTE = ("#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#37872d", "#fade2a", "#ffa6b0")
COLOURS = {
    "green": "#73bf69",
    "yellow": "#f2cc0c",
    "red": "#f2495c",
    "orange": "#ff9830",
    "blue": "#5794f2",
    "purple": "#b877d9",
    "light-blue": "#8ab8ff",
    "dark-yellow": "#e0b400",
    "super-light-red": "#ffa6b0",
    "text": "#ccccdc",
    "transparent": "none",
}


def field(panel: Json, name: str) -> Json:
    """Return the display options of a column or line: the panel's defaults and the overrides of its name."""
    shown: Json = {**panel["fieldConfig"]["defaults"]}
    shown["custom"] = dict(shown.get("custom", {}))
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == name:
            for each in override["properties"]:
                key, _, below = each["id"].partition(".")
                shown |= {key: {**shown[key], below: each["value"]}} if below else {key: each["value"]}
    return shown


def colour(shown: Json, value: float) -> str:
    """The colour of a number, by the thresholds."""
    steps = shown["thresholds"]["steps"]
    return COLOURS[[step["color"] for step in steps if step["value"] is None or value >= step["value"]][-1]]


def text(shown: Json, value: Any) -> str:
    """A number in its unit; a text as it is; nothing for what is not there."""
    if value is None or value == "":
        return str(shown.get("noValue", ""))
    if not isinstance(value, float):
        return str(value)
    unit, decimals = shown["unit"], shown.get("decimals")
    if unit == "percentunit":
        return f"{_rounded(value * 100, decimals)} %"
    if unit == "s" and value:
        for above, factor, name in ((1, 1, "s"), (1e-3, 1e3, "ms"), (0, 1e6, "µs")):
            if value >= above:
                return f"{_rounded(value * factor, decimals)} {name}"
    return _rounded(value, decimals)


def _rounded(value: float, decimals: int | None) -> str:
    return f"{value:.3g}" if decimals is None else f"{value:.{decimals}f}"


def rows(panel: Json, answers: dict[str, list[Series]]) -> list[Row]:
    """The rows of a table panel, from what each of its queries gave, after its transformations."""
    alone = len(answers) == 1
    found = []
    for ref, series in answers.items():
        columns = dict.fromkeys(
            (label for labels, _ in series for label in labels), ""
        )  # those that a row has not, too
        value = "Value" if alone else f"Value #{ref}"
        found.append([{**columns, **labels, value: points[-1][1]} for labels, points in series])
    for step in panel["transformations"]:
        found = [TRANSFORMATIONS[step["id"]](found, step["options"])]
    (table,) = found
    for sort in panel["options"].get("sortBy", []):
        table.sort(key=itemgetter(sort["displayName"]), reverse=sort["desc"])
    return table


def _merge(tables: list[list[Row]], _options: Json) -> list[Row]:
    """Rows that agree in what they share become one."""
    merged: list[Row] = []
    for row in (row for table in tables for row in table):
        for other in merged:
            if all(other[key] == row[key] for key in other.keys() & row.keys()):
                other.update(row)
                break
        else:
            merged.append(dict(row))
    return merged


def _matrix(tables: list[list[Row]], options: Json) -> list[Row]:
    """A row for each value of one label, a column for each of another."""
    by, column, corner = options["rowField"], options["columnField"], f"{options['rowField']}\\{options['columnField']}"
    found: dict[str, Row] = {}
    for row in tables[0]:
        found.setdefault(row[by], {corner: row[by]})[row[column]] = row[options["valueField"]]
    columns = sorted({key for row in found.values() for key in row} - {corner})
    return [{key: row.get(key) for key in (corner, *columns)} for row in found.values()]


def _organize(tables: list[list[Row]], options: Json) -> list[Row]:
    """Columns in their order, under their names, without those that are left out."""
    order = options["indexByName"]
    columns = sorted({key: None for row in tables[0] for key in row}, key=lambda key: order.get(key, len(order)))
    shown = {c: options["renameByName"].get(c, c) for c in columns if not options["excludeByName"].get(c)}
    return [{name: row.get(column) for column, name in shown.items()} for row in tables[0]]


TRANSFORMATIONS = {"merge": _merge, "groupingToMatrix": _matrix, "organize": _organize}
