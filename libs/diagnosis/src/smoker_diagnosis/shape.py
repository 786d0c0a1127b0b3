"""Which paths of a state make up which cell.

The TCP, UDP and HTTP paths to one target over one plane and family are one cell. Most probers list their paths in the
same order, so thousands of them share a few shapes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

NONE = -1  # instead of a cell's number: the path has no cell
SHAPES = 8192  # that are one object in all parts


class Shape(NamedTuple):
    """The cells of the paths of a state, by number, and the other way round."""

    cell_of: tuple[int, ...]  # by place of a path
    places_of: tuple[tuple[int, ...], ...]  # by number of a cell: the places of its paths, in order


EMPTY = Shape((), ())


@lru_cache(maxsize=SHAPES)
def shape_of(cell_of: tuple[int, ...]) -> Shape:
    """Return the shape in which the path at each place has this cell."""
    places: list[list[int]] = [[] for _ in range(1 + max(cell_of, default=NONE))]
    for place, number in enumerate(cell_of):
        if number != NONE:
            places[number].append(place)
    return Shape(cell_of, tuple(map(tuple, places)))
