"""Stand-ins for modules that libraries import at their head and a service never uses.

loguru wants `asyncio` for sinks that are coroutines (1.4 MiB), prometheus_client `http.server`, `ssl`, `urllib.request`
and `wsgiref.simple_server` for clients and servers of its own (6 MiB of OpenSSL in a process of 28, 0.8 for the rest).
Call `stand_in` before anything else is imported.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import NoReturn


class Absent:
    """What any name of a module that is stood in for means: a class that can be named and derived from, not made."""

    def __init__(self, *_arguments: object, **_named: object) -> NoReturn:
        raise RuntimeError("this service was started without the module that this comes from")


class StandIn(ModuleType):
    """A module in which each public name is `Absent`."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        return Absent


def stand_in(*modules: str) -> None:
    """Let each of `modules` that nobody has imported yet be a stand-in."""
    for module in modules:
        sys.modules.setdefault(module, StandIn(module))
