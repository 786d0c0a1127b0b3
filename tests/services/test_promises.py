"""Things that are written twice are compared: settings, documents, packages."""

from __future__ import annotations

import dataclasses
import importlib
import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from smoker_common.settings import ServiceSettings, declaration
from smoker_prober.config.plan import keys

ROOT = Path(__file__).parents[2]
SERVICES = sorted(path.name for path in (ROOT / "services").iterdir() if path.is_dir())
PROMISED = {
    "TCP_PORT": 8080,
    "UDP_PORT": 8081,
    "HTTP_PORT": 8082,
    "SERVER_HOST": "smoker-server",
    "TEST_INTERVAL": 30.0,
    "TEST_TIMEOUT": 5.0,
    "ADMIN_PORT": 9464,
    "MAX_BODY_BYTES": 10 * 1024 * 1024,
    "IDLE_TIMEOUT": 30.0,
    "REQUEST_TIMEOUT": 30.0,
}
HUB = 8083  # its HTTP_PORT
PROCESS = ("prober",)  # services whose settings stand in process.py, beside a configuration of another kind


def settings_of(service: str) -> type[ServiceSettings]:
    """Return the settings class of a service."""
    of_process = service in PROCESS
    module = importlib.import_module(f"smoker_{service.replace('-', '_')}.{'process' if of_process else 'settings'}")
    found: type[ServiceSettings] = module.Process if of_process else module.Settings
    return found


def defaults_of(service: str) -> dict[str, Any]:
    """Return the variables that a service reads, with their defaults."""
    found = {declaration(field).variable: field.default for field in fields(settings_of(service))}
    return found | {key.variable: key.default for key in keys() if key.variable and service in PROCESS}


def test_there_are_five_services() -> None:
    """The folders are the services."""
    assert SERVICES == ["http-echo", "hub", "prober", "tcp-echo", "udp-echo"]


@pytest.mark.parametrize("service", SERVICES)
def test_defaults_are_the_promised_ones(service: str) -> None:
    """Ports and durations that others rely on."""
    for variable, default in defaults_of(service).items():
        if variable in PROMISED:
            promised = HUB if (service, variable) == ("hub", "HTTP_PORT") else PROMISED[variable]
            assert default == promised, variable


@pytest.mark.parametrize("service", SERVICES)
def test_each_readme_lists_its_variables(service: str) -> None:
    """A service's README has a row with the default for exactly the variables that it reads."""
    text = (ROOT / "services" / service / "README.md").read_text()
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]*) \|", text, re.MULTILINE))
    declared = defaults_of(service)
    assert set(rows) == set(declared)
    for variable, default in declared.items():
        shown = rows[variable].strip(" `")
        if default is dataclasses.MISSING:
            assert shown == "the host's name", variable
        elif isinstance(default, tuple | dict):
            assert shown == ",".join(map(str, default)), variable
        else:
            text = str(default).lower() if isinstance(default, bool) else str(default)
            assert shown == (f"{default:g}" if isinstance(default, float) else text), variable


@pytest.mark.parametrize(
    "folder",
    [*(f"libs/{x}" for x in ("common", "outcome", "kube", "echo", "diagnosis")), *(f"services/{x}" for x in SERVICES)],
)
def test_packages_have_one_version_and_one_licence(folder: str) -> None:
    """All packages are released together."""
    project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
    assert (project["version"], project["license"], project["requires-python"]) == ("0.1.0", "Apache-2.0", ">=3.11")


def test_the_lock_names_versions_and_no_address() -> None:
    """constraints.txt has exact versions, one per line, and no address."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)] == []


def test_the_make_targets_are_all_there() -> None:
    """`make help` lists the targets that README and contributors use."""
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z0-9-]+):.*## ", text, re.MULTILINE))
    wanted = "setup run test check build images docker-build manifests deploy undeploy logs-server logs-client e2e"
    assert {*wanted.split(), "bench", "lock", "clean"} <= targets


def test_the_help_of_make_run_names_what_runs() -> None:
    """`make help` says that `make run` starts echoes, a prober and a hub, where the page is, and which key to press."""
    (told,) = re.findall(r"^run:.*## (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    (key,) = re.findall(r'^KEY = "(.)"$', (ROOT / "dev" / "run.py").read_text(), re.MULTILINE)
    assert [word for word in ("echoes", "prober", "hub", "page", f"{key} and Enter") if word not in told] == []
