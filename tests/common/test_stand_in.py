"""Stand-ins: what is named exists, what is used says why it does not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from smoker_common.stand_in import StandIn, stand_in


def test_names_can_be_named_and_nothing_can_be_made() -> None:
    """A class can be derived from and annotated with, but whoever makes one is told."""
    module = StandIn("never.there")
    kind = module.Context
    with pytest.raises(RuntimeError, match="without the module"):
        type("Derived", (kind,), {})()  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        _ = module.__path__


def test_what_is_imported_already_stays() -> None:
    """A module that is there is not taken away."""
    stand_in("sys")
    assert sys.modules["sys"] is sys


@pytest.mark.parametrize("service", ["tcp_echo", "udp_echo", "http_echo"])
def test_an_echo_service_does_without_openssl(service: str) -> None:
    """No echo loads OpenSSL, which would be a fifth of its memory, and all the same can be scraped."""
    code = f"import smoker_{service}.__main__, sys; print([m for m in ('_ssl', '_hashlib') if m in sys.modules])"
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}  # which needs it
    command = [sys.executable, "-c", code]
    asked = subprocess.run(command, env=bare, capture_output=True, text=True, timeout=60, check=True)
    assert asked.stdout == "[]\n"
