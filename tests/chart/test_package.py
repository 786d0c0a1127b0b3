"""The chart's package by `helm package`, plain and for a release."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from .render import Helm
from .values_table import CHART

ROOT = CHART.parents[1]
SOURCE = "https://git.example/team/smoker"
LINK = re.compile(r"\[[^]]+\]\(([^)]+)\)")


def package(helm: Helm, folder: Path, *options: str, version: str = "1.2.3") -> Path:
    """Package the chart as `make package` does, and return the folder with its content."""
    command = [sys.executable, "-m", "dev.release.package_chart", "--helm", helm.program, "--version", version]
    done = subprocess.run([*command, *options, str(folder)], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with tarfile.open(done.stdout.strip()) as archive:
        archive.extractall(folder, filter="data")
    return folder / "smoker"


def broken_links(chart: Path) -> list[str]:
    """Return the links in a package's README that lead neither into the package nor to another host."""
    links = LINK.findall((chart / "README.md").read_text())
    inside = [link.partition("#")[0] for link in links if "://" not in link and not link.startswith("#")]
    return [link for link in inside if not (chart / link).exists()]


def test_links_lead_into_the_package_or_the_source(helm: Helm, tmp_path: Path) -> None:
    """In a release's README each link leads into the package, or to the source at that version if it is known."""
    with_source = package(helm, tmp_path / "a", "--source", f"{SOURCE}/")
    assert broken_links(with_source) == []
    links = [link for link in LINK.findall((with_source / "README.md").read_text()) if "://" in link]
    pages = {link.removeprefix(f"{SOURCE}/blob/v1.2.3/").partition("#")[0] for link in links}
    assert {"docs/metrics.md", "docs/mesh.md", "CHANGELOG.md"} <= pages
    assert all((ROOT / page).is_file() for page in pages)
    without = package(helm, tmp_path / "b")
    assert broken_links(without) == []
    assert not [link for link in LINK.findall((without / "README.md").read_text()) if "://" in link]
    assert "docs/metrics.md" in (without / "README.md").read_text()


def test_metadata(helm: Helm, tmp_path: Path) -> None:
    """A release's Chart.yaml has version, source, maintainers, images and the icon of docs/icon.svg."""
    options = ("--source", SOURCE, "--registry", "registry.example/team")
    chart = package(helm, tmp_path, *options, version="1.2.3-rc.1")
    said = yaml.safe_load((chart / "Chart.yaml").read_text())
    assert (said["version"], said["appVersion"]) == ("1.2.3-rc.1", "1.2.3-rc.1")
    assert (said["home"], said["sources"]) == (SOURCE, [SOURCE])
    assert said["maintainers"]
    kind, _, data = said["icon"].partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(data) == (ROOT / "docs" / "icon.svg").read_bytes()
    notes = said["annotations"]
    assert (notes["artifacthub.io/license"], notes["artifacthub.io/prerelease"]) == ("Apache-2.0", "true")
    rendered = {c["image"] for o in helm.render(chart=chart).of_kind("Deployment", "DaemonSet") for c in containers(o)}
    assert {one["image"] for one in yaml.safe_load(notes["artifacthub.io/images"])} == rendered
    assert rendered == {f"registry.example/team/smoker-{of}:1.2.3-rc.1" for of in of_images()}


def containers(workload: dict[str, object]) -> list[dict[str, str]]:
    spec = yaml.safe_load(yaml.safe_dump(workload))["spec"]["template"]["spec"]
    return list(spec["containers"])


def of_images() -> list[str]:
    """Return the services of this repository that have an image."""
    return [folder.name for folder in (ROOT / "services").iterdir() if (folder / "pyproject.toml").exists()]


def test_null_registry(helm: Helm, tmp_path: Path) -> None:
    """In a release `imageRegistry: null` means the release's registry, which is the default there."""
    chart = package(helm, tmp_path, "--registry", "registry.example/team")
    for values in ({}, {"imageRegistry": None}):
        assert helm.render(values, chart=chart).container("hub")["image"] == "registry.example/team/smoker-hub:1.2.3"


def test_a_package_has_the_licence_and_no_test_files(helm: Helm, tmp_path: Path) -> None:
    """A package contains the licence, and no file that only this repository's tests use."""
    chart = package(helm, tmp_path)
    assert (chart / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert not (chart / "ci").exists()
    assert helm.run("lint", "--strict", str(chart))


def test_helm_lint_reports_nothing(helm: Helm) -> None:
    """`helm lint` has no recommendation, such as an icon, and no error."""
    assert "[" not in helm.run("lint", str(CHART))


@pytest.mark.parametrize("version", ["v1.2.3", "1.2", "1.2.3+build", "01.2.3", "latest", ""])
def test_versions(tmp_path: Path, version: str) -> None:
    """A version that images or charts cannot have is refused before anything is built."""
    command = [sys.executable, "-m", "dev.release.package_chart", "--version", version, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert (done.returncode, list(tmp_path.iterdir())) == (1, [])
    assert f"{version} is not a version" in done.stderr
