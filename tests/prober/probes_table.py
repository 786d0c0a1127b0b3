"""The table of probes and their options in the prober's README, made of what the probes declare.

.venv/bin/python -m tests.prober.probes_table --write
"""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from smoker_common.settings import duration_text
from smoker_prober.probes import PROBES
from smoker_prober.probes.options import declared

README = Path(__file__).resolve().parents[2] / "services" / "prober" / "README.md"
BEGIN, END = "<!-- probes: python -m tests.prober.probes_table --write -->", "<!-- probes end -->"
HEAD = ("| probe | target in `TARGETS` | what it does, and its options with their defaults |", "|---|---|---|")


def rows() -> Iterator[str]:
    """Yield a row for each probe, and below it one for each of its options."""
    yield from HEAD
    for name, probe in PROBES.items():
        form = f"`{probe.form}`" if probe.form else ""
        yield f"| `{name}` | {form} | {probe.help} |"
        for each in declared(probe.options):
            default = f" ({_shown(each.default, each.kind.allowed)})" if _shown(each.default, each.kind.allowed) else ""
            yield f"| | | `{each.key}`{default}: {each.help} |".replace("||", "\\|\\|")


def _shown(default: Any, allowed: str) -> str:
    """Return a default as a user would write it; nothing where it is empty."""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, float) and allowed.startswith("a duration"):
        return duration_text(default)
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return "" if default is None or dataclasses.is_dataclass(default) else str(default)


def written() -> str:
    """Return the README with the table as it should be."""
    table = "\n".join([BEGIN, *rows(), END])
    return re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: table, README.read_text(), flags=re.DOTALL)


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    README.write_text(written())
