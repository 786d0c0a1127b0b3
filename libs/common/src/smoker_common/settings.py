"""Declare each setting once: a dataclass field with its environment variable, default, check and help text.

    @dataclass(frozen=True)
    class Settings(ServiceSettings):
        tcp_port: int = setting("TCP_PORT", 8080, port, "the port the echo listens on", listen="tcp")

`parse` reads the settings from an environment and reports every mistake, so that a user can correct all at once.
An empty variable counts as unset, because a template leaves one for a value that is not given.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from smoker_common.kinds import InvalidValue, Kind, addresses, level, log_format, port, seconds, whole

Transport = Literal["tcp", "udp"]


@dataclass(frozen=True)
class Declaration:
    """The declaration of one setting. `setting` stores it in the field's metadata."""

    variable: str
    kind: Kind
    help: str
    listen: Transport | None = None


def setting(variable: str, default: Any, kind: Kind, help: str, *, listen: Transport | None = None) -> Any:
    """Declare a field. A callable `default` is called for each parse.

    `listen`: the service opens this port itself, unless it is 0.
    """
    metadata = {"declaration": Declaration(variable, kind, help, listen)}
    if callable(default):
        return dataclasses.field(default_factory=default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def declaration(field: dataclasses.Field[Any]) -> Declaration:
    """Return the declaration of a settings field."""
    found: Declaration = field.metadata["declaration"]
    return found


@dataclass(frozen=True)
class ServiceSettings:
    """The settings of every service."""

    log_level: str = setting("LOG_LEVEL", "INFO", level, "the lowest level to log")
    log_format: str = setting("LOG_FORMAT", "text", log_format, "text, or json: one flat object per line")
    listen_addresses: tuple[str, ...] = setting(
        "LISTEN_ADDRESS", (), addresses, "the addresses to listen on; unset: all, IPv4 and IPv6"
    )
    admin_port: int = setting("ADMIN_PORT", 9464, port, "the port of /livez, /readyz and /metrics", listen="tcp")
    linger: float = setting(
        "LINGER",
        0.0,
        seconds(0, 3600),
        "how long the service keeps answering after SIGTERM, while it is no longer ready",
    )

    @property
    def log_fields(self) -> dict[str, str]:
        """Fields of every log line."""
        return {}


#: Help texts that services share. Each service has its own defaults, which fit its memory limit.
MAX_CONNECTIONS = "most open connections on each echo port; a new one beyond the limit is closed"
MAX_CONNECTIONS_PER_CLIENT = "most open connections from one client address"


@dataclass(frozen=True)
class EchoSettings(ServiceSettings):
    """The settings of every echo service."""

    log_rate: int = setting(
        "LOG_RATE", 20, whole(0, 100_000), "requests logged per second; one line summarizes the rest"
    )


S = TypeVar("S", bound=ServiceSettings)


class Problem(str):
    """A message about a mistake, and the variable that has it."""

    variable: str

    def __new__(cls, variable: str, words: str) -> Problem:
        problem = super().__new__(cls, f"{variable}{words}")
        problem.variable = variable
        return problem


def parse(cls: type[S], environ: Mapping[str, str]) -> tuple[S, list[Problem]]:
    """Return the settings, and a message for each invalid variable. Its field keeps the default."""
    values, problems = {}, []
    for field in dataclasses.fields(cls):
        declared = declaration(field)
        value, problem = read_variable(declared.variable, declared.kind, environ)
        if problem is not None:
            problems.append(problem)
        elif value is not UNSET:
            values[field.name] = value
    return cls(**values), problems


#: Stands for the value of a variable that is unset or wrong.
UNSET: Any = object()


def read_variable(variable: str, kind: Kind, environ: Mapping[str, str]) -> tuple[Any, Problem | None]:
    """Return the variable's value, or `UNSET`, and what is wrong with it, if anything."""
    text = environ.get(variable, "").strip()
    if not text:
        return UNSET, None
    try:
        return kind(text), None
    except InvalidValue as unfit:
        return UNSET, Problem(variable, f"={shown(text)} is not {unfit}{_hint(variable, text)}")


def shown(text: str) -> str:
    """Return `text` in quotes, cut where it is long."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _hint(variable: str, text: str) -> str:
    if variable.endswith("_PORT") and text.startswith(("tcp://", "udp://")):
        return " (a Service of that name sets it: use enableServiceLinks: false)"
    return ""


def describe(cls: type[ServiceSettings]) -> str:
    """Return the help text: name, meaning, allowed values and default of each variable."""
    return describe_variables((declaration(field), _default(field)) for field in dataclasses.fields(cls))


def describe_variables(declared: Iterable[tuple[Declaration, Any]]) -> str:
    """Return the help text of these variables, each with its default."""
    variables, lines = list(declared), []
    width = max((len(each.variable) for each, _ in variables), default=0)
    for each, default in variables:
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
        shown = shown if shown or shown == 0 else "unset"
        lines.append(f"  {each.variable:<{width}}  {each.help}\n{'':{width + 4}}{each.kind.allowed}; default: {shown}")
    return "\n".join(lines)


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default is not dataclasses.MISSING else "the host's name"
