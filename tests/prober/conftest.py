from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from loguru import logger

from smoker_prober.settings import Settings

from .targets import Serve, echo, listening, settings_of, variables_for

if TYPE_CHECKING:
    from loguru import Message


@pytest.fixture(autouse=True)
def _no_handlers() -> Iterator[None]:
    """Remove the handlers that a test configures on streams which pytest closes."""
    logger.remove()
    yield
    logger.remove()


@pytest.fixture
def records() -> list[str]:
    """Return what is logged from now on, a line each: `WARNING message {extra}`."""
    lines: list[str] = []

    def keep(message: Message) -> None:
        record = message.record
        lines.append(f"{record['level'].name} {record['message']} {record['extra']}")

    logger.add(keep, level="TRACE")
    return lines


@pytest.fixture
def echoes() -> Iterator[dict[str, int]]:
    """The three real echoes: their ports by probe."""
    with echo("tcp") as tcp, echo("udp") as udp, echo("http") as http:
        yield {"tcp": tcp, "udp": udp, "http": http}


@pytest.fixture
def variables(echoes: dict[str, int]) -> dict[str, str]:
    """An environment in which `echoes` are probed."""
    return variables_for(echoes)


@pytest.fixture
def settings(variables: dict[str, str]) -> Settings:
    """Settings by which `echoes` are probed."""
    return settings_of(variables)


@pytest.fixture
def listen() -> Iterator[Callable[[Serve], int]]:
    """`listen(serve)` returns the port of a TCP server that runs until the end of the test."""
    with contextlib.ExitStack() as servers:
        yield lambda serve: servers.enter_context(listening(serve))
