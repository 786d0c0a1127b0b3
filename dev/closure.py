"""Print what the image of a service contains: `python dev/closure.py others|ours SERVICE`, as requirements for pip.

ours: the folders of this repository's packages that the service needs, itself among them.
others: the requirements of all of these that somebody else publishes.
"""

from __future__ import annotations

import pathlib
import re
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def closure(service: str) -> tuple[list[str], list[str]]:
    """Return the folders of our packages, and the requirements of others, each sorted."""
    tables = {}
    for file in [*ROOT.glob("libs/*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")]:
        project = tomllib.loads(file.read_text())["project"]
        tables[project["name"]] = file.parent.relative_to(ROOT).as_posix(), project["dependencies"]
    ours, others, wanted = set(), set(), [f"smoker-{service}"]
    while wanted:
        requirement = wanted.pop()
        if requirement in tables:
            folder, dependencies = tables[requirement]
            if folder not in ours:
                ours.add(folder)
                wanted += dependencies
        elif re.match(r"smoker-", requirement):
            raise SystemExit(f"no package of this repository is called {requirement}")
        else:
            others.add(requirement)
    return sorted(ours), sorted(others)


if __name__ == "__main__":
    of_us, of_others = closure(sys.argv[2])
    print(*([f"./{folder}" for folder in of_us] if sys.argv[1] == "ours" else of_others), sep="\n")
