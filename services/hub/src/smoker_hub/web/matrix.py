"""The matrix of paths between nodes or zones, in columns (`views.Matrix`).

states ─▶ one _Cell per pair ─▶ rows, the worst of which stay within the limit ─▶ columns
"""

from __future__ import annotations

from dataclasses import dataclass, field

import gevent

from smoker_diagnosis.state import PEER, State
from smoker_hub import judge
from smoker_hub.changes import letters_of
from smoker_hub.web import then
from smoker_hub.web.router import Values
from smoker_hub.web.sources import Sources
from smoker_hub.web.views import Matrix

USUAL, MOST = 10_000, 100_000  # cells of one answer
KEPT = 16  # matrices of one look
BATCH = 50  # probers after which other greenlets may run


@dataclass(slots=True)
class _Cell:
    letters: set[str] = field(default_factory=set)
    attempts: int = 0
    failed: int = 0
    sent: int = 0
    lost: int = 0
    rtt: float = 0.0  # seconds
    age: float = -1.0  # of the newest result

    @property
    def rank(self) -> int:
        """The place of its state in `judge.WORST`."""
        return judge.WORST.index(judge.merged(self.letters))


Rows = dict[str, dict[str, _Cell]]


def answer(sources: Sources, values: Values) -> Matrix:
    """Return the matrix of the last look, or of the moment `at`. Raises `Problem`.

    The matrices of one look are kept, so that many clients, and questions with an ETag, cost little.
    """
    key = (sources.hub.looked, *sorted((name, value) for name, value in values.items() if value is not None))
    if found := sources.matrices.get(key):
        return found
    found = _made(then.moment(sources, values), values)
    for old in [each for each in sources.matrices if each[0] != key[0]]:
        del sources.matrices[old]
    if len(sources.matrices) < KEPT:
        sources.matrices[key] = found
    return found


def _made(moment: then.Moment, values: Values) -> Matrix:
    collected = moment.collected
    zones = {path.target: path.zone for state in collected.states for path in state.paths if path.zone}
    zones |= {state.node: state.zone for state in collected.states}
    rows: Rows = {}
    for number, state in enumerate(collected.states, 1):
        _add(rows, state, collected.waited.get((state.node, state.network), 0.0), zones, values)
        if not number % BATCH:
            gevent.sleep(0)
    if not moment.live:
        for cell in (cell for row in rows.values() for cell in row.values()):
            cell.age = -1.0
    return _columns(values["by"], moment.at, rows, {} if values["by"] == "zone" else zones, values["limit"])


def _add(rows: Rows, state: State, late: float, zones: dict[str, str], values: Values) -> None:
    """Add the paths of one prober."""
    if values["from"] not in (None, state.node):
        return
    by_zone = values["by"] == "zone"
    filters = {"target": values["to"]} | {name: values[name] for name in ("plane", "family", "probe")}
    wanted = [(name, value) for name, value in filters.items() if value is not None]
    row = rows.setdefault(state.zone if by_zone else state.node, {})
    for path, letter in zip(state.paths, letters_of(state, late), strict=True):
        if path.role != PEER or (wanted and not all(getattr(path, name) == value for name, value in wanted)):
            continue
        name = zones.get(path.target, "") if by_zone else path.target
        cell = row.get(name)
        if cell is None:
            cell = row[name] = _Cell()
        cell.letters.add(letter)
        cell.attempts += path.attempts
        cell.sent += path.sent
        cell.lost += path.lost
        if path.failures:
            cell.failed += path.failed
        cell.rtt = max(cell.rtt, path.rtt_p50)
        if path.last:
            age = state.at - path.at + late
            if age < cell.age or cell.age < 0:
                cell.age = age


def _columns(by: str, at: float | None, rows: Rows, zones: dict[str, str], most: int) -> Matrix:
    kept, left_out = _kept(rows, most)
    names = sorted(kept.keys() | {to for row in kept.values() for to in row})
    places = {name: place for place, name in enumerate(names)}
    zone_names = sorted({zones.get(name, "") for name in names}) if by == "node" else []
    zone_places = {name: place for place, name in enumerate(zone_names)}
    ordered = [sorted(kept.get(name, {}).items()) for name in names]
    cells = [each for row in ordered for each in row]
    return Matrix(
        by="zone" if by == "zone" else "node",
        at=at,
        names=names,
        zone_names=zone_names,
        zones=[zone_places[zones.get(name, "")] for name in names] if by == "node" else [],
        counts=[len(row) for row in ordered],
        to=[places[to] for to, _ in cells],
        state="".join(judge.merged(cell.letters) for _, cell in cells),
        attempts=[cell.attempts for _, cell in cells],
        rtt=[round(cell.rtt * 1e6) for _, cell in cells],
        age=[round(cell.age) for _, cell in cells],
        failed={number: cell.failed for number, (_, cell) in enumerate(cells) if cell.failed},
        loss={number: round(cell.lost / cell.sent, 4) for number, (_, cell) in enumerate(cells) if cell.lost},
        left_out=left_out,
    )


def _kept(rows: Rows, most: int) -> tuple[Rows, int]:
    """Return the rows that fit into `most` cells, those with the worst cells first, and how many cells do not."""
    count = sum(map(len, rows.values()))
    if count <= most:
        return rows, 0

    def rank(name: str) -> list[int]:
        return sorted(cell.rank for cell in rows[name].values())

    kept: Rows = {}
    left = most
    for name in sorted(rows, key=lambda name: (rank(name), name)):
        worst = sorted(rows[name].items(), key=lambda item: (item[1].rank, item[0]))[:left]
        kept[name] = dict(worst)
        left -= len(worst)
        if not left:
            break
    return kept, count - most
