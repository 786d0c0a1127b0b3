"""Reads the plan: the file, and the variables that win over it. All mistakes of both at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from smoker_common.settings import UNSET, read_variable
from smoker_prober.config.document import LARGEST, Mistake, compose
from smoker_prober.config.plan import Plan, keys, replaced
from smoker_prober.config.reader import Reader


@dataclass(frozen=True)
class Loaded:
    """A plan, the mistakes in what it was read from, and the variables that won over the file with this content."""

    plan: Plan = field(default_factory=Plan)
    problems: tuple[str, ...] = ()
    winners: tuple[str, ...] = ()
    content: bytes = b""


def read(content: bytes) -> tuple[Plan, list[Mistake]]:
    """Return the plan in a file's content, and what is wrong with it, by line."""
    root, mistakes = compose(content)
    if root is None:
        return Plan(), mistakes
    reader = Reader()
    plan = reader.group(Plan(), root)
    return plan, sorted(reader.mistakes, key=lambda mistake: mistake.line)


def content_of(file: Path) -> bytes:
    """Return the content of the file, as far as it may be read and one byte more. Raises OSError."""
    with file.open("rb") as stream:
        return stream.read(LARGEST + 1)


def load(environ: Mapping[str, str], name: str = "", content: bytes = b"") -> Loaded:
    """Return the plan of a file's content, named `name` in its mistakes, and of the variables that win over it."""
    plan, mistakes = read(content)
    problems = [mistake.of(name) for mistake in mistakes]
    winners = []
    for key in keys():
        if not key.variable:
            continue
        value, problem = read_variable(key.variable, key.option.kind, environ)  # type: ignore[arg-type]
        if problem is not None:
            problems.append(problem)
        elif value is not UNSET:
            plan = replaced(plan, key.fields, value)
            winners.append(key.variable)
    return Loaded(plan, tuple(dict.fromkeys(problems)), tuple(dict.fromkeys(winners)), content)


def load_file(environ: Mapping[str, str], file: str) -> Loaded:
    """Return the plan of a file, empty: of the variables alone. A file that cannot be read is a mistake."""
    if not file:
        return load(environ)
    try:
        content = content_of(Path(file))
    except OSError as error:
        return Loaded(problems=(f"{file}: {(error.strerror or str(error)).lower()}",))
    return load(environ, file, content)
