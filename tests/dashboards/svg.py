"""Shapes and texts of an SVG."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

INK, FAINT, PAPER, PANEL, EDGE = "#ccccdc", "#9a9aab", "#111217", "#181b1f", "#2c3037"
FONT = "Inter, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"


@dataclass(frozen=True)
class Box:
    """A place on the picture."""

    x: float
    y: float
    w: float
    h: float

    def inner(self, left: float, top: float, right: float, bottom: float) -> Box:
        """What is left between margins."""
        return Box(self.x + left, self.y + top, self.w - left - right, self.h - top - bottom)


def cut(text: str, room: float, size: float) -> str:
    """A text that fits, its end left out if it must be. A letter is taken to be 0.56 of its size wide."""
    letters = int(room / (0.56 * size))
    return text if len(text) <= letters else f"{text[: max(letters - 1, 0)]}…"


@dataclass
class Svg:
    """A picture that grows."""

    width: float
    height: float
    parts: list[str] = field(default_factory=list)

    def _add(self, tag: str, content: str = "", **attributes: object) -> None:
        told = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items() if value is not None}
        said = " ".join(f"{name}={quoteattr(_short(value))}" for name, value in told.items())
        self.parts.append(f"<{tag} {said}>{content}</{tag}>" if content else f"<{tag} {said}/>")

    def box(self, box: Box, fill: str, *, stroke: str | None = None, rounded: float = 0) -> None:
        corner = rounded or None
        self._add("rect", x=box.x, y=box.y, width=box.w, height=box.h, fill=fill, stroke=stroke, rx=corner)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 12,
        fill: str = INK,
        anchor: str = "start",
        bold: bool = False,
    ) -> None:
        weight = "600" if bold else None
        self._add("text", escape(text), x=x, y=y, font_size=size, fill=fill, text_anchor=anchor, font_weight=weight)

    def line(
        self, points: Iterable[tuple[float, float]], stroke: str, *, width: float = 1, dashed: bool = False
    ) -> None:
        path = " ".join(f"{_short(x)},{_short(y)}" for x, y in points)
        dashes = "5 4" if dashed else None
        self._add("polyline", points=path, fill="none", stroke=stroke, stroke_width=width, stroke_dasharray=dashes)

    def written(self, title: str) -> str:
        """The file."""
        size = f'width="{self.width:g}" height="{self.height:g}" viewBox="0 0 {self.width:g} {self.height:g}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FONT}" role="img">'
        return "\n".join([head, f"<title>{escape(title)}</title>", *self.parts, "</svg>", ""])


def _short(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
