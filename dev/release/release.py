"""Release images and chart: `make release VERSION=1.2.3 REGISTRY=registry.example/team`.

It bakes and pushes the images with both bake files, packages and pushes the chart, and signs all of it if COSIGN_KEY
names a key. dist/ then has the package, the digests of the images, and SHA256SUMS. `--print` shows the commands and
runs none.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys
from collections.abc import Iterator

from dev.release.base import FILE as BASE
from dev.release.base import PINNED
from dev.release.package_chart import IMAGES, ROOT, VERSION, packaged

BAKE = ["docker", "buildx", "bake", "--file", "docker-bake.hcl", "--file", "docker-bake.release.hcl"]
PLATFORMS = "linux/amd64,linux/arm64"


class Release:
    """One release: the arguments, and the values that follow from them."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked = asked
        self.registry = asked.registry.rstrip("/")
        self.dist = asked.dist
        self.images_file = self.dist / f"images-{asked.version}.json"

    def problems(self) -> Iterator[str]:
        """Yield what must be corrected before anything is pushed."""
        if not VERSION.fullmatch(self.asked.version):
            yield f"VERSION: {self.asked.version!r} is not a version such as 1.2.3 or 1.2.3-rc.1"
        if not self.registry:
            yield "REGISTRY: set it to the registry and path for images and chart, such as registry.example/team"
        if not PINNED.fullmatch(self.asked.base):
            yield f"{BASE.relative_to(ROOT)}: {self.asked.base} has no digest; make base pins it"
        if not self.asked.print and git("status", "--porcelain", "--untracked-files=no"):
            yield "the checkout has uncommitted changes"

    def environment(self) -> dict[str, str]:
        """Return the variables of the bake files."""
        return {
            "VERSION": self.asked.version,
            "REGISTRY": self.registry,
            "PLATFORMS": self.asked.platforms,
            "ATTEST": self.asked.attest,
            "SOURCE_URL": self.asked.source,
            "PYTHON_IMAGE": self.asked.base,
            "REVISION": git("rev-parse", "HEAD"),
            "SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct"),
        }

    def bake(self) -> list[str]:
        return [*BAKE, "--metadata-file", str(self.images_file)]

    def push_chart(self) -> list[str]:
        package = self.dist / f"smoker-{self.asked.version}.tgz"
        where = f"oci://{self.registry}/charts"
        return [*shlex.split(self.asked.helm), "push", str(package), where, *shlex.split(self.asked.helm_push_args)]

    def sign(self, reference: str) -> list[str]:
        return ["cosign", "sign", "--yes", "--key", self.asked.cosign_key, reference]

    def digests(self) -> dict[str, str]:
        """Return the digest of each pushed image, by its name with registry and tag."""
        said = json.loads(self.images_file.read_text())
        return {f"{self.registry}/smoker-{name}": said[name]["containerimage.digest"] for name in IMAGES}


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def shown(command: list[str], environment: dict[str, str] | None = None) -> None:
    print("+", *(f"{name}={shlex.quote(value)}" for name, value in (environment or {}).items()), shlex.join(command))


def run(command: list[str], environment: dict[str, str] | None = None) -> str:
    """Run a command, show its output and return it."""
    shown(command, environment)
    full = {**os.environ, **(environment or {})}
    done = subprocess.run(command, cwd=ROOT, env=full, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # noqa: PLW1510
    print(done.stdout, end="")
    if done.returncode:
        sys.exit(f"{command[0]} failed with exit code {done.returncode}; nothing after it was done")
    return done.stdout


def print_only(release: Release) -> None:
    """Show the commands of a release."""
    shown(release.bake(), release.environment())
    shown(release.push_chart())
    if release.asked.cosign_key:
        for name in IMAGES:
            shown(release.sign(f"{release.registry}/smoker-{name}@DIGEST"))
        shown(release.sign(f"{release.registry}/charts/smoker@DIGEST"))


def carried_out(release: Release) -> None:
    """Bake, push, package, sign and sum up."""
    asked = release.asked
    run(release.bake(), release.environment())
    package = packaged(release.dist, asked.version, asked.source, release.registry, asked.helm)
    pushed = run(release.push_chart())
    digests = release.digests()
    if asked.cosign_key:
        chart = next(line.split()[1] for line in pushed.splitlines() if line.startswith("Digest:"))
        for reference in [
            *(f"{name}@{digest}" for name, digest in digests.items()),
            f"{release.registry}/charts/smoker@{chart}",
        ]:
            run(release.sign(reference))
    listed = release.dist / f"images-{asked.version}.txt"
    listed.write_text("".join(f"{name}:{asked.version}@{digest}\n" for name, digest in digests.items()))
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in (package, listed)]
    (release.dist / "SHA256SUMS").write_text("".join(sums))
    print(f"released {asked.version}; to install it:")
    print(f"  helm install smoker oci://{release.registry}/charts/smoker --version {asked.version}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Release images and chart.")
    parser.add_argument("--version", required=True, help="such as 1.2.3")
    parser.add_argument("--registry", required=True, help="registry and path for images and chart")
    parser.add_argument("--source", default="", help="address of the repository")
    parser.add_argument("--platforms", default=PLATFORMS)
    parser.add_argument("--attest", default="true", choices=("true", "false"), help="SBOM and provenance")
    parser.add_argument("--base", default=BASE.read_text().strip(), help="base image with digest")
    parser.add_argument("--helm", default="helm", help="the command that runs Helm")
    parser.add_argument("--helm-push-args", default="", help="for helm push, such as --plain-http")
    parser.add_argument("--cosign-key", default="", help="key to sign with; without one nothing is signed")
    parser.add_argument("--dist", type=pathlib.Path, default=ROOT / "dist")
    parser.add_argument("--print", action="store_true", help="show the commands and run none")
    release = Release(parser.parse_args())
    if problems := list(release.problems()):
        sys.exit("\n".join(problems))
    release.dist.mkdir(parents=True, exist_ok=True)
    print_only(release) if release.asked.print else carried_out(release)


if __name__ == "__main__":
    main()
