"""Panels with an axis: lines and bars over time, states over time, bars of a size."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

from .fields import COLOURS, PALETTE, colour, field, text
from .grafana import Json
from .prometheus import Series
from .svg import EDGE, FAINT, Box, Svg, cut

Answers = dict[str, list[Series]]


@dataclass(frozen=True)
class Span:
    """The time shown: seconds since the epoch, and the step between two points."""

    begin: float
    end: float
    step: float

    def x(self, box: Box, at: float) -> float:
        return box.x + (at - self.begin) / (self.end - self.begin) * box.w

    def ticks(self) -> Iterator[float]:
        """Whole multiples of a handy number of seconds, five of them or so."""
        apart = next(s for s in (5, 10, 15, 20, 30, 60, 120, 300, 900, 3600) if (self.end - self.begin) / s <= 6)
        return (at * apart for at in range(math.ceil(self.begin / apart), int(self.end / apart) + 1))


def _of(answers: Answers) -> list[tuple[str, list[tuple[float, float]]]]:
    """Every series by its name."""
    return [(labels[""], points) for series in answers.values() for labels, points in series]


def _time_axis(svg: Svg, box: Box, span: Span) -> None:
    for at in span.ticks():
        x = span.x(box, at)
        svg.line([(x, box.y), (x, box.y + box.h)], EDGE)
        clock = time.strftime("%H:%M:%S", time.gmtime(at))
        if box.x + 20 < x < box.x + box.w - 20:
            svg.text(x, box.y + box.h + 15, clock, size=10.5, fill=FAINT, anchor="middle")


@dataclass(frozen=True)
class Scale:
    """Values from 0 to `top` in a box."""

    box: Box
    top: float

    def y(self, value: float) -> float:
        return self.box.y + self.box.h * (1 - min(value, self.top) / self.top)

    def draw(self, svg: Svg, shown: Json) -> None:
        for part in (0, 0.25, 0.5, 0.75, 1):
            y = self.y(part * self.top)
            svg.line([(self.box.x, y), (self.box.x + self.box.w, y)], EDGE)
            if part in (0, 0.5, 1):
                svg.text(self.box.x - 7, y + 4, text(shown, part * self.top), size=10.5, fill=FAINT, anchor="end")


def _top(highest: float, most: float) -> float:
    """The end of the axis: a handy number, not below the highest value unless `most` is."""
    if highest <= 0:
        return min(1.0, most)
    unit = float(10 ** math.floor(math.log10(highest)))
    return min(most, next(step * unit for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * unit >= highest * 0.999))


def lines(svg: Svg, box: Box, panel: Json, answers: Answers, span: Span) -> None:
    """Lines, or bars that stand on each other. Lines that are 0 all the time are left out, if there are others."""
    series = [one for one in _of(answers) if any(value for _, value in one[1])] or _of(answers)[:1]
    defaults = panel["fieldConfig"]["defaults"]
    custom = defaults["custom"]
    stacked, label = custom["drawStyle"] == "bars", custom.get("axisLabel", "")
    limits = [s for s in defaults["thresholds"]["steps"] if "thresholdsStyle" in custom and s["value"]]
    inside = box.inner(58, 44 if label else 36, 14, 52)
    svg.text(box.x + 10, box.y + 36, label, size=10.5, fill=FAINT)
    highest = max([_highest(series, stacked=stacked), *(step["value"] for step in limits)])
    scale = Scale(inside, _top(highest, defaults.get("max", math.inf)))
    _time_axis(svg, inside, span)
    scale.draw(svg, defaults)
    for step in limits:
        y = scale.y(step["value"])
        svg.line([(inside.x, y), (inside.x + inside.w, y)], COLOURS[step["color"]], dashed=True)
    names: dict[str, str] = {}
    floor: dict[float, float] = {}
    for number, (name, points) in enumerate(series):
        fixed = field(panel, name)["color"].get("fixedColor")
        names[name] = COLOURS[fixed] if fixed else PALETTE[number % len(PALETTE)]
        if stacked:
            _blocks(svg, scale, span, points[::2], floor, names[name])
        else:
            svg.line([(span.x(inside, at), scale.y(value)) for at, value in points], names[name], width=1.6)
    _legend(svg, box, names)


def _highest(series: list[tuple[str, list[tuple[float, float]]]], *, stacked: bool) -> float:
    at_once: dict[float, float] = {}
    for _, points in series:
        for at, value in points:
            at_once[at] = at_once.get(at, 0) + value if stacked else max(at_once.get(at, 0), value)
    return max(at_once.values())


def _blocks(
    svg: Svg, scale: Scale, span: Span, points: list[tuple[float, float]], floor: dict[float, float], ink: str
) -> None:
    """Bars on top of what is on `floor` already."""
    width = 1.4 * span.step / (span.end - span.begin) * scale.box.w
    for at, value in points:
        below = floor.get(at, 0.0)
        floor[at] = below + value
        if value:
            x, y = span.x(scale.box, at) - width / 2, scale.y(below + value)
            svg.box(Box(max(x, scale.box.x), y, width, scale.y(below) - y), ink)


def _legend(svg: Svg, box: Box, names: dict[str, str]) -> None:
    x, y = box.x + 14, box.y + box.h - 10
    for name, ink in names.items():
        svg.line([(x, y - 4), (x + 14, y - 4)], ink, width=4)
        svg.text(x + 19, y, name, size=11.5)
        x += 19 + 6.6 * len(name) + 14


def states(svg: Svg, box: Box, panel: Json, answers: Answers, span: Span) -> None:
    """A line for each series, coloured by its value."""
    series, defaults = sorted(_of(answers)), panel["fieldConfig"]["defaults"]
    inside = box.inner(214, 34, 14, 26)
    _time_axis(svg, inside, span)
    height = min(inside.h / max(len(series), 1), 46.0)
    for number, (name, points) in enumerate(series):
        y = inside.y + number * height
        svg.text(inside.x - 8, y + height / 2 + 4, cut(name, 200, 10.5), size=10.5, anchor="end")
        begun = 0
        for index, (at, value) in enumerate(points):
            last = index + 1 == len(points)
            if (
                last
                or colour(defaults, points[index + 1][1]) != colour(defaults, value)
                or points[index + 1][0] - at > 5
            ):
                left, right = span.x(inside, points[begun][0]), span.x(inside, min(at + span.step, span.end))
                svg.box(Box(left, y + height * 0.1, right - left, height * 0.8), colour(defaults, value))
                begun = index + 1


def bars(svg: Svg, box: Box, panel: Json, answers: Answers, _span: Span) -> None:
    """A bar for each series, as long as its last value."""
    series, defaults = _of(answers), panel["fieldConfig"]["defaults"]
    inside = box.inner(214, 34, 76, 12)
    longest, height = max(points[-1][1] for _, points in series), min(inside.h / len(series), 30.0)
    for number, (name, points) in enumerate(series):
        y, value = inside.y + number * height, points[-1][1]
        svg.text(inside.x - 8, y + height / 2 + 4, cut(name, 200, 10.5), size=10.5, anchor="end")
        svg.box(Box(inside.x, y + height * 0.15, inside.w * value / longest, height * 0.7), colour(defaults, value))
        svg.text(inside.x + inside.w * value / longest + 7, y + height / 2 + 4, text(defaults, value), size=11.5)
