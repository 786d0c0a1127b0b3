"""Draws the overview dashboard from its own panels, places and queries: `python -m tests.dashboards.picture`.

It plays the scene of the tests for a while, asks Prometheus what Grafana would ask it, and writes docs/overview.svg.
It is not Grafana: one look, and those kinds of panels that the overview has.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gevent

from tests.chart import helm_binary
from tests.chart.render import Helm

from . import charts
from .charts import Span
from .fields import COLOURS, colour, field, rows, text
from .grafana import Json, dashboards, queries_of, substituted, variables
from .prometheus import Prometheus, Series
from .scene import NAMESPACE, RELEASE, playing, rules
from .svg import EDGE, FAINT, INK, PANEL, PAPER, Box, Svg, cut

WHERE = Path(__file__).resolve().parents[2] / "docs" / "overview.svg"
COLUMN, ROW, GAP, HEAD = 45.0, 26.0, 8.0, 62.0  # pixels
DARK, HEADING = "#111217", "#6e9fff"  # on a bright ground; of a column
ALL = dict.fromkeys(("node", "probe", "target"), ".*")


@dataclass(frozen=True)
class Answers:
    """What the dashboard's variables are, and what Prometheus says."""

    prometheus: Prometheus
    span: Span
    values: dict[str, str]

    def of(self, panel: Json) -> dict[str, list[Series]]:
        """The series of each query of a panel, by its letter, each named by the legend."""
        found = {}
        for query in queries_of("overview", panel):
            expr = query.with_values(self.values)
            series = (
                self.prometheus.instant(expr)
                if query.instant
                else self.prometheus.over(expr, self.span.begin, self.span.end, self.span.step)
            )
            found[query.ref] = [({**labels, "": legend(query.legend, labels)}, points) for labels, points in series]
        return found


def legend(form: str, labels: dict[str, str]) -> str:
    """What a legend says of a series; nothing of a label that it has not."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), form)


def stat(svg: Svg, box: Box, panel: Json, answers: dict[str, list[Series]], _span: Span) -> None:
    """Numbers side by side, each with its name where the panel wants it."""
    shown, series = field(panel, ""), [each for some in answers.values() for each in some]
    bright = panel["options"]["colorMode"] == "background"
    named = panel["options"]["textMode"] == "value_and_name"
    for number, (labels, points) in enumerate(series):
        part = Box(box.x + number * box.w / len(series), box.y, box.w / len(series), box.h)
        value = points[-1][1]
        if bright:
            svg.box(part.inner(6, 28, 6, 6), colour(shown, value), rounded=3)
        ink, middle = (DARK if bright else colour(shown, value)), part.x + part.w / 2
        svg.text(
            middle, part.y + (72 if named else 82), text(shown, value), size=34, fill=ink, anchor="middle", bold=True
        )
        if named:
            svg.text(middle, part.y + 94, cut(labels[""], part.w, 10.5), size=10.5, fill=FAINT, anchor="middle")


def table(svg: Svg, box: Box, panel: Json, answers: dict[str, list[Series]], _span: Span) -> None:
    """Rows and columns; a column is as wide as its longest text asks for."""
    found = rows(panel, {ref: [({k: v for k, v in of.items() if k}, p) for of, p in s] for ref, s in answers.items()})
    if not found:
        svg.text(box.x + box.w / 2, box.y + box.h / 2, panel["fieldConfig"]["defaults"]["noValue"], anchor="middle")
        return
    shown = {name: field(panel, name) for name in found[0]}
    letters = {n: max(len(n), *(len(text(shown[n], row[n])) for row in found)) + 2 for n in found[0]}
    room, height = box.inner(10, 32, 10, 8), 27.0
    widths = {name: room.w * count / sum(letters.values()) for name, count in letters.items()}
    for number, row in enumerate([dict.fromkeys(found[0]), *found][: int(room.h / height)]):
        x, y = room.x, room.y + number * height
        for name, width in widths.items():
            value, ink = row[name], INK
            if isinstance(value, float) and shown[name]["custom"]["cellOptions"]["type"] == "color-background":
                svg.box(Box(x + 1, y + 1, width - 2, height - 2), colour(shown[name], value))
                ink = DARK
            mapped = [m["options"].get(value, {}).get("color") for m in shown[name].get("mappings", [])]
            ink = next((COLOURS[each] for each in mapped if each), ink)
            said = text(shown[name], value) if number else name
            size, ink = (12.5, ink) if number else (11.5, HEADING)
            centred = shown[name]["custom"].get("align") == "center"
            at = x + (width / 2 if centred else 6)
            anchor = "middle" if centred else "start"
            svg.text(at, y + 18, cut(said, width - 4, size), size=size, fill=ink, anchor=anchor, bold=not number)
            x += width
        svg.line([(room.x, y + height), (room.x + room.w, y + height)], EDGE)


KINDS: dict[str, Callable[[Svg, Box, Json, dict[str, list[Series]], Span], None]] = {
    "stat": stat,
    "table": table,
    "timeseries": charts.lines,
    "state-timeline": charts.states,
    "bargauge": charts.bars,
}


def place(grid: Json) -> Box:
    """Where the grid puts a panel."""
    return Box(
        GAP + grid["x"] * COLUMN,
        HEAD + grid["y"] * (ROW + GAP),
        grid["w"] * COLUMN - GAP,
        grid["h"] * (ROW + GAP) - GAP,
    )


def drawn(dashboard: Json, answers: Answers) -> str:
    """The whole dashboard as SVG."""
    boxes = [place(panel["gridPos"]) for panel in dashboard["panels"]]
    svg = Svg(24 * COLUMN + GAP, max(box.y + box.h for box in boxes) + GAP)
    svg.box(Box(0, 0, svg.width, svg.height), PAPER)
    svg.text(GAP + 4, 24, dashboard["title"], size=17, bold=True)
    x = GAP + 4
    for variable in variables(dashboard)[1:]:
        value = answers.values[variable["name"]].replace(".*", "All")
        svg.text(x, 48, variable["label"], size=12.5, fill=FAINT)
        x += 7.2 * len(variable["label"]) + 6
        svg.text(x, 48, value, size=12.5, bold=True)
        x += 7.6 * len(value) + 22
    for panel, box in zip(dashboard["panels"], boxes, strict=True):
        svg.box(box, PANEL, stroke=EDGE, rounded=3)
        title = substituted(panel["title"], answers.values)
        svg.text(box.x + 10, box.y + 20, cut(title, box.w - 14, 13), size=13, bold=True)
        KINDS[panel["type"]](svg, box, panel, answers.of(panel), answers.span)
    return svg.written(f"{dashboard['title']}: drawn from the dashboard's own queries and a real run")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=100, help="how long to play before the picture is taken")
    seconds = parser.parse_args().seconds
    major, program = helm_binary.newest()
    with tempfile.TemporaryDirectory() as folder, playing(Path(folder), rules(Helm(program, major))) as scene:
        gevent.sleep(seconds)
        span = Span(scene.began + 8, time.time(), 1.0)  # it takes Prometheus some seconds to begin
        values = {"namespace": NAMESPACE, "instance": RELEASE, **ALL, "window": "30s"}
        values |= {"__interval": "1s", "__rate_interval": "8s", "__range": f"{seconds:.0f}s"}
        WHERE.write_text(drawn(dashboards()["overview"], Answers(scene.prometheus, span, values)))
    print(f"written: {WHERE}")


if __name__ == "__main__":
    main()
