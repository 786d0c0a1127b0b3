"""The container engine: what `docker buildx bake` would build, what it has built, and its content."""

from __future__ import annotations

import gzip
import io
import json
import secrets
import tarfile
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from tests.images.command import ROOT, CommandError, run

SERVICES = sorted(folder.name for folder in (ROOT / "services").iterdir() if (folder / "pyproject.toml").exists())


def docker(*arguments: str, seconds: float = 60, stderr_too: bool = False) -> str:
    return run("docker", *arguments, seconds=seconds, stderr_too=stderr_too)


def run_once(*arguments: str) -> str:
    """Return what a container writes to stdout until it ends; it is always removed."""
    name = f"smoker-images-{secrets.token_hex(6)}"
    try:
        return docker("run", "--name", name, *arguments, seconds=30)
    finally:
        docker("rm", "--force", name)


def plan(**variables: str | None) -> dict[str, dict[str, Any]]:
    """Return the targets that bake would build, by name. A variable that is None is not set."""
    printed = run("docker", "buildx", "bake", "--print", environ=variables)
    targets: dict[str, dict[str, Any]] = json.loads(printed)["target"]
    return targets


@cache
def baked() -> dict[str, str]:
    """Return the image of each service, built once from this checkout for this machine."""
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
    """Return the base image of all of them, in the engine's store."""
    (image,) = {target["args"]["PYTHON_IMAGE"] for target in plan().values()}
    try:
        docker("image", "inspect", image)
    except CommandError:  # some builders keep it to themselves
        docker("pull", "--quiet", image, seconds=300)
    return str(image)


@cache
def inspect(image: str) -> dict[str, Any]:
    """Return the engine's data about an image."""
    (found,) = json.loads(docker("image", "inspect", image))
    return dict(found)


def layers(image: str) -> Iterator[tuple[str, bytes]]:
    """Yield the layers of an image, each as an archive, by what tells it from others."""
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "image.tar"
        docker("image", "save", "--output", str(saved), image)
        with tarfile.open(saved) as outer:

            def read(name: str) -> bytes:
                file = outer.extractfile(name)
                assert file is not None
                return file.read()

            (manifest,) = json.loads(read("manifest.json"))
            ids = json.loads(read(manifest["Config"]))["rootfs"]["diff_ids"]
            for id_, name in zip(ids, manifest["Layers"], strict=True):
                yield id_, read(name)


@cache
def files(image: str) -> frozenset[PurePosixPath]:
    """Return every file and folder of an image."""
    paths: set[PurePosixPath] = set()
    for _, layer in layers(image):
        with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
            entries = {PurePosixPath("/", name) for name in archive.getnames()}
        deleted = {path for path in entries if path.name.startswith(".wh.")}
        gone = {path.with_name(path.name.removeprefix(".wh.")) for path in deleted}
        paths = {path for path in paths if not gone & {path, *path.parents}} | (entries - deleted)
    return frozenset(paths - {PurePosixPath("/")})


_compressed: dict[str, int] = {}


def compressed(image: str) -> dict[str, int]:
    """Return the bytes of each layer of an image, compressed as registries get it."""
    found = {}
    for id_, layer in layers(image):
        found[id_] = _compressed.get(id_) or len(gzip.compress(layer, 6))
    _compressed.update(found)
    return found


@cache
def added(image: str) -> frozenset[PurePosixPath]:
    """Yield every file in the layers of `image` above its base, and every folder except those of deleted files."""
    return files(image) - files(base())


@cache
def left_out(image: str) -> frozenset[PurePosixPath]:
    """Return every file and folder of its base that an image has not."""
    return files(base()) - files(image)
