"""How a container of an image behaves with the restrictions of the "restricted" Pod Security Standard and more."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.images import engine
from tests.images.command import CommandError
from tests.images.conftest import Image

pytestmark = pytest.mark.engine

LOCKED_UP = ("--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
PATIENCE = 20.0  # seconds for what takes one or two
NEEDS = {"hub": ("--env", "PEERS=node-1=127.0.0.1:9464")}  # without a cluster a hub must be told of its probers
STOP = 7.0  # seconds from SIGTERM to the end; the services let go of their connections after 5


def state(container: str) -> dict[str, Any]:
    """Return the engine's data about a container."""
    return dict(json.loads(engine.docker("container", "inspect", "--format", "{{json .State}}", container)))


def log(container: str) -> str:
    return engine.docker("container", "logs", container, stderr_too=True)


@contextmanager
def started(image: Image, *options: str) -> Iterator[str]:
    """Yield a restricted container of an image, from the line that says it has started."""
    needs = NEEDS.get(image.service, ())
    container = engine.docker("run", "--detach", *LOCKED_UP, *needs, *options, image.tag).strip()
    try:
        until = time.monotonic() + PATIENCE
        while f"smoker-{image.service} started" not in log(container):
            assert state(container)["Running"], f"it ended: {log(container)}"
            assert time.monotonic() < until, f"not started after {PATIENCE:g} s: {log(container)}"
            time.sleep(0.1)
        yield container
    finally:
        engine.docker("rm", "--force", container)


def test_the_user_is_a_number(image: Image) -> None:
    """The user is a number, so that Kubernetes can check that it is not root."""
    assert engine.inspect(image.tag)["Config"]["User"] == "65532:65532"


@pytest.mark.parametrize("user", ["65532:65532", "54321:0"], ids=["own-user", "any-user"])
def test_it_starts_with_a_read_only_root_and_no_capabilities(image: Image, user: str) -> None:
    """Without a writable file system, capabilities or a fixed user it starts.

    As process 1 it ends with 0 on SIGTERM.
    """
    with started(image, "--user", user) as container:
        begun = time.monotonic()
        engine.docker("stop", "-t", f"{PATIENCE:g}", container)
        assert time.monotonic() - begun < STOP
        assert state(container)["ExitCode"] == 0, log(container)
        assert "Traceback" not in log(container)


def test_help_lists_every_variable(image: Image) -> None:
    """--help tells its usage and every variable it reads, on stdout."""
    said = engine.run_once(*LOCKED_UP, image.tag, "--help")
    assert said.startswith(f"usage: smoker-{image.service}")
    assert "ADMIN_PORT" in said


def test_an_invalid_variable_exits_with_2(image: Image) -> None:
    """An invalid variable ends it with exit code 2 and one sentence."""
    with pytest.raises(CommandError) as caught:
        engine.run_once(*LOCKED_UP, "--env", "ADMIN_PORT=none", image.tag)
    assert caught.value.code == 2
    sentence = f"smoker-{image.service}: cannot start: ADMIN_PORT='none' is not a whole number from 1 to 65535.\n"
    assert caught.value.output == sentence
