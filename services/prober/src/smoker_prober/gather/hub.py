"""Asks the hub for its verdict on the whole mesh: `once --hub`, which is `helm test`.

GET /api/v1/check ─▶ Verdict ─▶ lines or JSON; again until it is good, or a fault has lasted, or the time is up
"""

from __future__ import annotations

import base64
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import msgspec
from gevent.event import Event

from smoker_common.fetch import FetchError, fetch
from smoker_common.host import authority
from smoker_common.log import escaped
from smoker_diagnosis import text
from smoker_prober.report import aligned

CHECK = "/api/v1/check"
TIMEOUT = 5.0  # seconds for one answer of the hub
LARGEST = 16 * 1024 * 1024  # bytes of its answer
LARGEST_SECRET = 4_096  # bytes of a file with a credential
PAUSE = 0.5  # seconds between two questions
HEADER = ("FROM", "TO", "PROBE", "PLANE", "FAMILY", "OUTCOME")


class Facts(msgspec.Struct, frozen=True):
    """A finding as data."""

    kind: str


class Finding(msgspec.Struct, frozen=True):
    """What is at fault, in sentences. `last_seen`: the date of the last look that had it, by the hub's clock."""

    headline: str
    phase: str
    last_seen: float
    evidence: list[str]
    next: list[str]
    finding: Facts


class FailingPath(msgspec.Struct, frozen=True):
    """A path whose last probe failed, or that has no result."""

    source: str
    target: str
    probe: str
    plane: str
    family: str
    outcome: str


class Verdict(msgspec.Struct, frozen=True):
    """What the hub says of the whole mesh. The record `Check` of its API has more fields."""

    ok: bool
    at: float
    sentence: str
    findings: list[Finding]
    missing: list[str]
    failing: list[FailingPath]
    left_out: int
    explained_by_loss: int = 0  # of the failing paths; an older hub does not say it

    def counted(self, tolerated: Collection[str]) -> list[Finding]:
        """Return the findings that are of none of the kinds in `tolerated`."""
        return [each for each in self.findings if each.finding.kind not in tolerated]

    def tolerating(self, tolerated: Collection[str]) -> Verdict:
        """Return the verdict as it is if findings of the kinds in `tolerated` do not count. They stay in it.

        Nor do the failing paths that such a loss explains.
        """
        failing = len(self.failing) + self.left_out - (self.explained_by_loss if "loss" in tolerated else 0)
        ok = not (self.counted(tolerated) or self.missing or failing)
        return msgspec.structs.replace(self, ok=True) if self.findings and ok else self

    def as_object(self) -> dict[str, Any]:
        """Return the verdict for JSON."""
        return dict(msgspec.to_builtins(self))

    def as_text(self) -> str:
        """Return the sentence first, then the evidence and the next steps, what is missing, and the failing paths."""
        return "\n".join(escaped(line) for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield self.sentence
        for finding in self.findings:
            if len(self.findings) > 1:  # the sentence names a single one
                yield finding.headline
            yield from (f"  evidence: {each}" for each in finding.evidence)
            yield from (f"  next: {each}" for each in finding.next)
        yield from text.whole_sentences(self.missing, self.sentence)
        if self.explained_by_loss:
            yield text.by_loss(self.explained_by_loss)
        if self.failing:
            yield ""
            yield from aligned([HEADER, *map(_row, self.failing)])
        if self.left_out:
            yield f"… and {self.left_out} more."


def ask(
    host: str, port: int, patience: float = 0.0, folder: str | None = None, tolerated: Collection[str] = ()
) -> Verdict:
    """Return the verdict of the hub at `host` and `port`. Raises `FetchError`.

    With `patience` ask again until the verdict is good, for that many seconds at most. A fault ends it sooner, if the
    hub still sees it in a look after the first answer. `folder`: where the credentials are, if the hub wants some.
    `tolerated`: kinds of findings that are shown and do not count.
    """
    until, pause = time.monotonic() + patience, Event()
    first: float | None = None  # the date of the first answer, by the hub's clock
    while True:
        over = time.monotonic() >= until
        try:
            found = _verdict(host, port, folder).tolerating(tolerated)
        except FetchError:
            if over:
                raise
        else:
            first = found.at if first is None else first
            counted = found.counted(tolerated)
            lasting = any(each.phase == "open" and each.last_seen > first for each in counted)
            if found.ok or lasting or over:
                return found
        pause.wait(PAUSE)


def _verdict(host: str, port: int, folder: str | None) -> Verdict:
    credentials = _authorization(Path(folder)) if folder else ""
    document = fetch(host, port, CHECK, seconds=TIMEOUT, limit=LARGEST, authorization=credentials)
    try:
        return msgspec.json.decode(document, type=Verdict)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as wrong:
        where = f"http://{authority(host, port)}{CHECK}"
        raise FetchError(where, f"does not send a verdict: {escaped(str(wrong))}", answered=True) from None


def _authorization(folder: Path) -> str:
    """Return the Authorization header for the credentials in `folder`. Raises `FetchError`."""
    if token := _read(folder / "token"):
        return f"Bearer {token.decode('latin-1')}"
    user, password = _read(folder / "username"), _read(folder / "password")
    if user and password:
        return f"Basic {base64.b64encode(user + b':' + password).decode()}"
    raise FetchError(str(folder), "has no file token that can be read, nor username and password")


def _read(file: Path) -> bytes:
    """Return the content of a file without the line end that editors add, empty if there is none."""
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST_SECRET).rstrip(b"\r\n")
    except OSError:
        return b""


def _row(path: FailingPath) -> tuple[str, ...]:
    words = (path.source, path.target, path.probe, path.plane, path.family, path.outcome or text.NO_RESULT)
    return tuple(escaped(each) or "-" for each in words)
