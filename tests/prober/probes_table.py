"""The table of probes in the prober's README, made of what the probes declare. docs/configuration.md has their options.

.venv/bin/python -m tests.prober.probes_table --write
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from smoker_prober.probes import PROBES

README = Path(__file__).resolve().parents[2] / "services" / "prober" / "README.md"
BEGIN, END = "<!-- probes: python -m tests.prober.probes_table --write -->", "<!-- probes end -->"
HEAD = ("| probe | URL in `TARGETS` | what it does |", "|---|---|---|")


def rows() -> Iterator[str]:
    """Yield a row for each probe."""
    yield from HEAD
    for name, probe in PROBES.items():
        yield f"| `{name}` | {f'`{probe.form}`' if probe.form else ''} | {probe.help} |"


def written() -> str:
    """Return the README with the table as it should be."""
    table = "\n".join([BEGIN, *rows(), END])
    return re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: table, README.read_text(), flags=re.DOTALL)


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    README.write_text(written())
