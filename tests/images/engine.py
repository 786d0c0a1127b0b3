"""The container engine: what `docker buildx bake` would build, what it has built, and what is in it."""

from __future__ import annotations

import json
import secrets
import tarfile
import tempfile
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from tests.images.command import ROOT, CommandError, run

SERVICES = sorted(folder.name for folder in (ROOT / "services").iterdir() if (folder / "pyproject.toml").exists())


def docker(*arguments: str, seconds: float = 60, stderr_too: bool = False) -> str:
    return run("docker", *arguments, seconds=seconds, stderr_too=stderr_too)


def run_once(*arguments: str) -> str:
    """What a container writes to stdout until it ends; it is removed, whatever happens."""
    name = f"smoker-images-{secrets.token_hex(6)}"
    try:
        return docker("run", "--name", name, *arguments, seconds=30)
    finally:
        docker("rm", "--force", name)


def plan(**variables: str | None) -> dict[str, dict[str, Any]]:
    """The targets that bake would build, by name. A variable that is None is not set."""
    printed = run("docker", "buildx", "bake", "--print", environ=variables)
    targets: dict[str, dict[str, Any]] = json.loads(printed)["target"]
    return targets


@cache
def baked() -> dict[str, str]:
    """The image of each service, built once from this checkout for this machine."""
    missing = ""
    try:
        docker("version")
        docker("buildx", "version")
    except CommandError as error:
        missing = error.last_line
    if missing:
        pytest.fail(f"The end-to-end tests need a container engine with docker buildx: {missing}", pytrace=False)
    run("docker", "buildx", "bake", "--load", seconds=540, environ={"PLATFORMS": None})
    return {name: target["tags"][0] for name, target in plan().items()}


@cache
def base() -> str:
    """The image that all of them stand on, in the engine's store."""
    (image,) = {target["args"]["PYTHON_IMAGE"] for target in plan().values()}
    try:
        docker("image", "inspect", image)
    except CommandError:  # some builders keep it to themselves
        docker("pull", "--quiet", image, seconds=300)
    return str(image)


@cache
def inspect(image: str) -> dict[str, Any]:
    """What the engine says of an image."""
    (found,) = json.loads(docker("image", "inspect", image))
    return dict(found)


@cache
def added(image: str) -> frozenset[PurePosixPath]:
    """Every file in the layers that `image` has on top of its base, and every folder but those of what they delete."""
    own, under = (inspect(name)["RootFS"]["Layers"] for name in (image, base()))
    assert own[: len(under)] == under, f"{image} does not stand on {base()}"
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "image.tar"
        docker("image", "save", "--output", str(saved), image)
        with tarfile.open(saved) as outer:
            manifest = outer.extractfile("manifest.json")
            assert manifest is not None
            (entry,) = json.load(manifest)
            paths: set[PurePosixPath] = set()
            for layer in entry["Layers"][len(under) :]:
                with tarfile.open(fileobj=outer.extractfile(layer)) as inner:
                    entries = {PurePosixPath("/", name) for name in inner.getnames()}
                    deleted = {path for path in entries if path.name.startswith(".wh.")}
                    paths |= entries - deleted - {parent for path in deleted for parent in path.parents}
    return frozenset(paths)
