"""Find which distributions a service's image must contain: the service, its libraries, and what these need."""

from __future__ import annotations

import importlib.metadata
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.images.command import ROOT


@cache
def projects() -> dict[str, dict[str, Any]]:
    """Return the `project` table of each of our packages."""
    files = [*ROOT.glob("libs/*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")]
    tables = (tomllib.loads(file.read_text())["project"] for file in files)
    return {canonicalize_name(table["name"]): table for table in tables}


@cache
def locked() -> dict[str, str]:
    """Return the versions of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = (line.split("==") for line in lines if line.strip() and not line.startswith("#"))
    return {canonicalize_name(name): version.strip() for name, version in pins}


def expected(service: str, markers: Mapping[str, str]) -> dict[str, str]:
    """Return name and version of each distribution in the image of `service`, for an interpreter with these markers."""
    found: dict[str, str] = {}
    wanted = [Requirement(f"smoker-{service}")]
    while wanted:
        requirement = wanted.pop()
        name = canonicalize_name(requirement.name)
        if name not in found:
            own = projects().get(name)
            found[name] = own["version"] if own else locked()[name]
            wanted += _applicable(own.get("dependencies", []) if own else importlib.metadata.requires(name), markers)
    return found


def _applicable(requirements: Iterable[str] | None, markers: Mapping[str, str]) -> list[Requirement]:
    """Return the requirements that apply to an interpreter with these markers, without extras."""
    parsed = map(Requirement, requirements or ())
    environment = {**markers, "extra": ""}
    return [r for r in parsed if r.marker is None or r.marker.evaluate(environment)]
