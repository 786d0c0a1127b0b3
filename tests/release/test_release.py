"""What a release would do: its commands, and the checks before the first of them."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys

import pytest

from tests.images.command import ROOT
from tests.images.engine import SERVICES

BASE = "registry.example/python:3.13-slim@sha256:" + "a" * 64
ASKED = {
    "--version": "1.2.3",
    "--registry": "registry.example/team/",
    "--base": BASE,
    "--source": "https://git.example/smoker",
}


def release(**changed: str) -> subprocess.CompletedProcess[str]:
    """Run a release that only prints its commands."""
    options = {**ASKED, **{f"--{name.replace('_', '-')}": value for name, value in changed.items()}}
    command = [
        sys.executable,
        "-m",
        "dev.release.release",
        "--print",
        *(f"{key}={value}" for key, value in options.items()),
    ]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


def commands(**changed: str) -> list[list[str]]:
    done = release(**changed)
    assert done.returncode == 0, done.stderr
    return [shlex.split(line.removeprefix("+ ")) for line in done.stdout.splitlines()]


def variables(command: list[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for word in command if re.match(r"[A-Z_]+=", word))


def test_images() -> None:
    """The images are baked for both platforms, from the pinned base, with the commit and its date."""
    bake = commands()[0]
    said = variables(bake)
    assert said["PLATFORMS"] == "linux/amd64,linux/arm64"
    assert (said["VERSION"], said["REGISTRY"], said["PYTHON_IMAGE"]) == ("1.2.3", "registry.example/team", BASE)
    assert re.fullmatch("[0-9a-f]{40}", said["REVISION"])
    assert int(said["SOURCE_DATE_EPOCH"]) > 1_700_000_000
    assert bake[len(said) :][:3] == ["docker", "buildx", "bake"]


def test_chart() -> None:
    """The chart goes to the same registry, by Helm, with the user's options."""
    assert commands(helm_push_args="--plain-http")[1][:2] == ["helm", "push"]
    assert commands(helm_push_args="--plain-http")[1][-2:] == ["oci://registry.example/team/charts", "--plain-http"]


def test_signatures() -> None:
    """With a key each image and the chart are signed by digest; without one nothing is."""
    assert len(commands()) == 2
    signed = [command for command in commands(cosign_key="cosign.key") if command[0] == "cosign"]
    assert {command[-1] for command in signed} == {
        *(f"registry.example/team/smoker-{service}@DIGEST" for service in SERVICES),
        "registry.example/team/charts/smoker@DIGEST",
    }
    assert all(command[command.index("--key") + 1] == "cosign.key" for command in signed)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"version": "v1"}, "VERSION"),
        ({"registry": ""}, "REGISTRY"),
        ({"base": "python:3.13-slim"}, "make base"),
        ({"base": "python:3.13-slim@sha256:abc"}, "make base"),
    ],
)
def test_problems(changed: dict[str, str], complaint: str) -> None:
    """Missing settings are named before anything is built or pushed."""
    done = release(**changed)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert done.stdout == ""


@pytest.mark.engine
@pytest.mark.parametrize("attest", ["true", "false"])
def test_bake_plan(attest: str) -> None:
    """Bake sets every label and date, pushes, and attaches SBOM and provenance unless ATTEST=false."""
    said = {**variables(commands(attest=attest)[0])}
    command = "docker buildx bake --file docker-bake.hcl --file docker-bake.release.hcl --print"
    done = subprocess.run(
        command.split(), cwd=ROOT, env={**os.environ, **said}, check=True, capture_output=True, text=True
    )
    targets = json.loads(done.stdout)["target"]
    assert sorted(targets) == SERVICES
    for service, target in targets.items():
        labels = {name.removeprefix("org.opencontainers.image."): text for name, text in target["labels"].items()}
        assert labels["source"] == ASKED["--source"]
        assert labels["revision"] == said["REVISION"]
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", labels["created"])
        assert (labels["base.name"], labels["base.digest"]) == (
            "registry.example/python:3.13-slim",
            "sha256:" + "a" * 64,
        )
        assert target["args"]["SOURCE_DATE_EPOCH"] == said["SOURCE_DATE_EPOCH"]
        assert target["args"]["SERVICE"] == service
        assert target["output"] == ["type=registry,rewrite-timestamp=true"]
        assert target.get("attest", []) == (["type=sbom", "type=provenance,mode=max"] if attest == "true" else [])
        assert target["platforms"] == ["linux/amd64", "linux/arm64"]
