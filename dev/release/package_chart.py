"""Package the chart for a release: `make package VERSION=1.2.3`.

Links of the chart's README that lead out of the chart lead to the source's address at the tag of the version; without
an address they become plain text. Chart.yaml names the source and the images, and `imageRegistry` is the release's
registry by default.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "smoker"
IMAGES = ("tcp-echo", "udp-echo", "http-echo", "prober", "hub")
# Three numbers and, before a release, what SemVer allows after a hyphen; no "+", which an image tag cannot have.
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?")
OUTSIDE = re.compile(r"\[([^]]+)\]\(\.\./\.\./([^)]+)\)")
# Where the default of `imageRegistry` stands; "" is replaced.
REGISTRY_LINES = {
    "values.yaml": 'imageRegistry: ""',
    "defaults.yaml": 'imageRegistry: ""',
    "README.md": '| `imageRegistry` | `""` |',
}


def with_registry(text: str, line: str, registry: str) -> str:
    """Return a file's text with the registry as the default of `imageRegistry`."""
    if f"\n{line}" not in text:
        raise ValueError(f"the chart has no line {line}")
    return text.replace(f"\n{line}", "\n" + line.replace('""', f'"{registry}"'), 1)


def with_links(readme: str, source: str, version: str) -> str:
    """Return the README with its links out of the chart to the source at a version, or without them."""
    if source:
        return OUTSIDE.sub(rf"[\1]({source}/blob/v{version}/\2)", readme)
    return OUTSIDE.sub(r"\1", readme)


def metadata(chart: str, source: str, registry: str, version: str) -> str:
    """Return Chart.yaml with the source's address, if there is one, and the images of this version."""
    said = yaml.safe_load(chart)
    if source:
        said |= {"home": source, "sources": [source]}
    path = f"{registry.rstrip('/')}/" if registry else ""
    images = [{"name": name, "image": f"{path}smoker-{name}:{version}"} for name in IMAGES]
    said["annotations"] |= {
        "artifacthub.io/prerelease": str("-" in version).lower(),
        "artifacthub.io/images": yaml.safe_dump(images, sort_keys=False),
    }
    return str(yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=200))


def packaged(destination: pathlib.Path, version: str, source: str, registry: str, helm: str) -> pathlib.Path:
    """Write the chart's package into a folder and return its path."""
    source = source.rstrip("/")
    with tempfile.TemporaryDirectory() as folder:
        chart = pathlib.Path(folder) / "smoker"
        shutil.copytree(CHART, chart)
        (chart / "README.md").write_text(with_links((chart / "README.md").read_text(), source, version))
        (chart / "Chart.yaml").write_text(metadata((chart / "Chart.yaml").read_text(), source, registry, version))
        for file, line in REGISTRY_LINES.items():
            (chart / file).write_text(with_registry((chart / file).read_text(), line, registry))
        command = [*shlex.split(helm), "package", str(chart), "--version", version]
        command += ["--app-version", version, "--destination", str(destination)]
        subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return destination / f"smoker-{version}.tgz"


def main() -> None:
    parser = argparse.ArgumentParser(description="Package the chart for a release.")
    parser.add_argument("--version", required=True, help="of chart and images, such as 1.2.3")
    parser.add_argument("--source", default="", help="address of the repository, for links and Chart.yaml")
    parser.add_argument("--registry", default="", help="registry and path of the images: the package's imageRegistry")
    parser.add_argument("--helm", default="helm", help="the command that runs Helm")
    parser.add_argument("destination", type=pathlib.Path, help="folder for the package")
    asked = parser.parse_args()
    if not VERSION.fullmatch(asked.version):
        sys.exit(f"{asked.version} is not a version such as 1.2.3 or 1.2.3-rc.1")
    asked.destination.mkdir(parents=True, exist_ok=True)
    print(packaged(asked.destination, asked.version, asked.source, asked.registry, asked.helm))


if __name__ == "__main__":
    main()
