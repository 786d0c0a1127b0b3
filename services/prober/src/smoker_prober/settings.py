"""The settings of a prober: those of its process, which stay, and its plan, which can change while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from smoker_common.settings import Declaration, describe, describe_variables, parse
from smoker_prober.config.load import load_file
from smoker_prober.config.plan import Plan, keys
from smoker_prober.process import Process


class Settings(NamedTuple):
    """All settings of a prober."""

    process: Process
    plan: Plan


def read(environ: Mapping[str, str]) -> tuple[Settings, list[str]]:
    """Return the settings of an environment and of the file that it names, and all mistakes in them."""
    process, problems = parse(Process, environ)
    loaded = load_file(environ, process.config_file)
    return Settings(process, loaded.plan), list(dict.fromkeys([*problems, *loaded.problems]))


def described() -> str:
    """Return the help text of all variables."""
    return "\n".join([describe(Process), describe_variables(plan_variables())])


def plan_variables() -> list[tuple[Declaration, object]]:
    """Return the variables that win over keys of the plan, each once, with their defaults."""
    own = {
        key.variable: (Declaration(key.variable, key.option.kind, key.option.help), key.default)  # type: ignore[arg-type]
        for key in keys()
        if key.variable
    }
    own.pop("LOG_LEVEL")  # every service has it
    return list(own.values())
