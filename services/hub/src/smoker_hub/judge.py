"""The state of a path as a letter; `web.views.Matrix` lists the letters."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Literal, Protocol

from smoker_diagnosis.state import PathState, State


class Path(Protocol):
    """What names a path of a prober."""

    @property
    def target(self) -> str: ...
    @property
    def plane(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def probe(self) -> str: ...


Letter = Literal["o", "l", "p", "f", "s", "u"]

OK: Letter = "o"
LOSSY: Letter = "l"
PARTLY: Letter = "p"
FAILS: Letter = "f"
STALE: Letter = "s"
UNKNOWN: Letter = "u"
WORST = "fplsuo"  # the order in which rows and paths are listed
NO_RESULT = ("", "local_error")


def fails(path: PathState) -> bool:
    """Return whether the last result of `path` is a failure."""
    return path.last not in ("", "success", "local_error")


def letter(path: PathState, state: State, late: float) -> Letter:
    """Return the state of `path`, of the prober `state`, which was made `late` seconds ago."""
    last = path.last
    if last in NO_RESULT:
        return UNKNOWN
    if state.at - path.at + late > 2 * (path.interval or state.interval) + state.timeout:
        return STALE
    if last != "success":
        return UNKNOWN if state.starved else FAILS
    return LOSSY if path.lost or path.failures else OK


def merged(letters: Collection[str]) -> Letter:
    """Return the state of a cell of several paths."""
    if FAILS in letters:
        return PARTLY if OK in letters or LOSSY in letters else FAILS
    for each in (LOSSY, OK, STALE):
        if each in letters:
            return each
    return UNKNOWN


def identity(node: str, network: str, path: Path) -> str:
    """Return the id of a path and probe of the prober on `node`. It is the same in every replica and never changes."""
    words = "\0".join([node, network, path.target, path.plane, path.family, path.probe])
    return hashlib.blake2b(words.encode(), digest_size=6).hexdigest()
