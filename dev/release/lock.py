"""Write the packages that the images install, with the hash of every file: `make lock` runs it, with uv installed.

tools.txt has the build tools, packages.txt the external packages of the services, in the versions of constraints.txt.
No line names a host, so any index or mirror serves them, and a file that differs is refused.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "dev" / "release"
TOOLS = ["hatchling", "setuptools"]
HEAD = "# Made by `make lock`: {}, with the hash of each of their files.\n"


def services() -> list[str]:
    """Return the services of this repository."""
    return sorted(folder.parent.name for folder in ROOT.glob("services/*/pyproject.toml"))


def packages() -> list[str]:
    """Return the requirements of all services that others publish."""
    found: set[str] = set()
    for service in services():
        command = [sys.executable, "dev/closure.py", "others", service]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        found.update(done.stdout.split("\n"))
    return sorted(found - {""})


def locked(requirements: list[str]) -> str:
    """Return the requirements and what they need, pinned, with hashes."""
    command = "-m uv pip compile --quiet --generate-hashes --no-annotate --no-header --python-platform linux"
    options = ["--python-version", "3.11", "--constraint", "constraints.txt", "-"]
    done = subprocess.run(
        [sys.executable, *command.split(), *options],
        cwd=ROOT,
        input="\n".join(requirements),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def main() -> None:
    for file, what, requirements in (
        ("tools.txt", "the tools that build the images' packages", TOOLS),
        ("packages.txt", "the packages of others in the images", packages()),
    ):
        (HERE / file).write_text(HEAD.format(what) + locked(requirements))


if __name__ == "__main__":
    main()
