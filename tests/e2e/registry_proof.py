"""A release to a real registry on loopback, installed from there: `make e2e-registry` (needs docker-registry).

The base's digest comes from that registry, as `make base` gets it. The engine here cannot attest, so the release is one
with ATTEST=false; tests/release/test_release.py checks what bake would attest.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.release.base import pinned
from tests.conftest import eventually, free_port
from tests.e2e.cluster import fresh_namespace
from tests.e2e.release import FAST, Release
from tests.images import engine
from tests.images.command import run
from tests.images.engine import SERVICES, docker

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

VERSION = "0.0.1-proof"
PLATFORM = "{{.Server.Os}}/{{.Server.Arch}}"
CONFIGURATION = """
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """Yield the name of a registry that lives as long as the test."""
    port, configuration, log = free_port(), tmp_path / "registry.yml", tmp_path / "registry.log"
    configuration.write_text(CONFIGURATION.format(folder=tmp_path / "registry", port=port))
    with log.open("wb") as file:
        popen = subprocess.Popen(["docker-registry", "serve", configuration], stdout=file, stderr=file)
    try:
        eventually("the registry listens", lambda: "listening on" in log.read_text() or popen.poll() is not None)
        assert popen.poll() is None, log.read_text()
        yield f"localhost:{port}"
    finally:
        popen.terminate()
        popen.wait(20)


def digest(reference: str) -> str:
    """Return the digest that the registry has."""
    found = re.search(r"^Digest: +(\S+)$", docker("buildx", "imagetools", "inspect", reference), re.MULTILINE)
    assert found, reference
    return found[1]


def released(registry: str, base: str, dist: Path, helm: str) -> dict[str, str]:
    """Release to the registry; return the digest of each image as the release lists it, by the image's name."""
    command = [sys.executable, "-m", "dev.release.release", "--version", VERSION, "--registry", f"{registry}/team"]
    command += ["--base", base, "--dist", str(dist), "--helm", helm, "--helm-push-args=--plain-http"]
    run(*command, "--attest=false", f"--platforms={docker('version', '--format', PLATFORM).strip()}", seconds=500)
    listed = (dist / f"images-{VERSION}.txt").read_text().split()
    return dict(line.split("@") for line in listed)


def installed(registry: str, dist: Path, nodes: set[str], helm: str) -> None:
    """Install the pushed chart as users do and test it."""
    chart = (f"oci://{registry}/team/charts/smoker", "--version", VERSION, "--plain-http")
    with fresh_namespace() as namespace:
        release = Release("smoker", namespace, helm)
        (pulled := dist / "pulled").mkdir()
        release.helm("pull", *chart, "--destination", str(pulled))
        name = f"smoker-{VERSION}.tgz"
        assert (pulled / name).read_bytes() == (dist / name).read_bytes()
        values = [f"--set-json={path}={json.dumps(value)}" for path, value in FAST.items()]
        release.helm("install", release.name, *chart, "--wait", "--timeout=120s", *values)
        release.becomes("success", nodes)
        assert "Succeeded" in release.test()
        images = {pod["spec"]["containers"][0]["image"] for pod in release.pods()}
        assert images == {f"{registry}/team/smoker-{service}:{VERSION}" for service in SERVICES}


def test_a_release_is_installed_from_its_registry(registry: str, nodes: set[str], helm: str, tmp_path: Path) -> None:
    """What `make release` pushes is what Helm installs: the digests and sums are right, and `helm test` passes."""
    base = f"{registry}/{engine.base().rpartition('/')[2]}"
    images = [f"{registry}/team/smoker-{service}:{VERSION}" for service in SERVICES]
    dist = tmp_path / "dist"
    docker("tag", engine.base(), base)
    try:
        docker("push", "--quiet", base, seconds=120)
        assert released(registry, pinned(base), dist, helm) == {image: digest(image) for image in images}
        run("sh", "-c", 'cd "$0" && sha256sum --check --strict SHA256SUMS', str(dist))
        for image in images:  # from the registry, not from the engine that built them
            docker("image", "rm", image)
            docker("pull", "--quiet", image, seconds=120)
        if load := os.environ.get("E2E_LOAD"):  # the nodes of a local cluster do not reach a registry on loopback
            run(*shlex.split(load), *images, seconds=300)
        installed(registry, dist, nodes, helm)
    finally:
        docker("image", "rm", "--force", base, *images)
