"""A whole release, with programs that stand in for docker, Helm and cosign and write down what they are asked.

A registry that takes it is tried by `make e2e-registry`.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.images.command import ROOT
from tests.images.engine import SERVICES

VERSION, REGISTRY = "1.2.3", "registry.example/team"
CHART_DIGEST = "sha256:" + "c" * 64
#: Writes its arguments as a line of JSON, then does what the release needs of it.
STAND_IN = f"""#!{sys.executable}
import json, os, pathlib, subprocess, sys
program, arguments = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
if program == "git":  # the checkout of a developer may have changes
    sys.exit(0 if arguments[0] == "status" else subprocess.call([{{git!r}}, *arguments]))
with open({{log!r}}, "a") as log:
    print(json.dumps([program, *arguments]), file=log)
if program == "docker":
    digests = {{{{name: {{{{"containerimage.digest": "sha256:" + name[0] * 64}}}} for name in {SERVICES!r}}}}}
    pathlib.Path(arguments[arguments.index("--metadata-file") + 1]).write_text(json.dumps(digests))
elif arguments[0] == "package":
    folder = pathlib.Path(arguments[arguments.index("--destination") + 1])
    (folder / "smoker-{VERSION}.tgz").write_bytes(b"a chart")
elif arguments[0] == "push":
    print("Pushed: {REGISTRY}/charts/smoker:{VERSION}")
    print("Digest: {CHART_DIGEST}")
if {{failing!r}} in arguments:
    print("no such key")
    sys.exit(1)
"""


def release(
    folder: Path, *options: str, failing: str = "-"
) -> tuple[subprocess.CompletedProcess[str], list[list[str]]]:
    """Release with the stand-ins; the one that gets the argument `failing` fails. Return what they were asked, too."""
    programs, log = folder / "bin", folder / "log"
    programs.mkdir()
    log.touch()
    git = subprocess.run(["which", "git"], check=True, capture_output=True, text=True).stdout.strip()
    for name in ("docker", "helm", "cosign", "git"):
        program = programs / name
        program.write_text(STAND_IN.format(git=git, log=str(log), failing=failing))
        program.chmod(0o755)
    base = "registry.example/python:3.13-slim@sha256:" + "a" * 64
    command = [sys.executable, "-m", "dev.release.release", f"--version={VERSION}", f"--registry={REGISTRY}"]
    done = subprocess.run(
        [*command, f"--base={base}", f"--dist={folder / 'dist'}", *options],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        check=False,
        capture_output=True,
        text=True,
    )
    return done, [json.loads(line) for line in log.read_text().splitlines()]


def image(service: str) -> str:
    """Return the reference of a pushed image, by digest."""
    return f"{REGISTRY}/smoker-{service}@sha256:{service[0] * 64}"


def signature(reference: str) -> list[str]:
    return ["cosign", "sign", "--yes", "--key", "cosign.key", reference]


def test_a_signed_release(tmp_path: Path) -> None:
    """Images are baked and pushed, then the chart, then each is signed by digest; the sums are those of the files."""
    done, asked = release(tmp_path, "--cosign-key=cosign.key")
    assert done.returncode == 0, done.stderr
    assert [command[:2] for command in asked[:3]] == [["docker", "buildx"], ["helm", "package"], ["helm", "push"]]
    signed = asked[3:]
    assert sorted(signed[:-1]) == sorted(signature(image(service)) for service in SERVICES)
    assert signed[-1] == signature(f"{REGISTRY}/charts/smoker@{CHART_DIGEST}")
    dist = tmp_path / "dist"
    lines = (dist / "SHA256SUMS").read_text().splitlines()
    sums = {name: sum_ for sum_, name in (line.split("  ") for line in lines)}
    assert set(sums) == {f"smoker-{VERSION}.tgz", f"images-{VERSION}.txt"}
    assert all(hashlib.sha256((dist / name).read_bytes()).hexdigest() == sum_ for name, sum_ in sums.items())
    listed = (dist / f"images-{VERSION}.txt").read_text().splitlines()
    assert sorted(listed) == [image(service).replace("@", f":{VERSION}@") for service in SERVICES]


def test_without_a_key_nothing_is_signed(tmp_path: Path) -> None:
    """cosign is not needed then; the release is complete all the same."""
    done, asked = release(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "cosign" not in {command[0] for command in asked}
    assert (tmp_path / "dist" / "SHA256SUMS").exists()


@pytest.mark.parametrize(
    ("failing", "last"),
    [
        ("bake", "docker"),
        ("push", "helm"),
        (image("prober"), "cosign"),
        (f"{REGISTRY}/charts/smoker@{CHART_DIGEST}", "cosign"),
    ],
    ids=["bake", "push", "an image's signature", "the chart's signature"],
)
def test_a_failure_ends_the_release(tmp_path: Path, failing: str, last: str) -> None:
    """What a program said is shown, nothing is done after it, and no sums are written."""
    done, asked = release(tmp_path, "--cosign-key=cosign.key", failing=failing)
    assert done.returncode == 1
    assert f"{last} failed with exit code 1; nothing after it was done" in done.stderr
    assert "no such key" in done.stdout
    assert asked[-1][0] == last
    assert failing in asked[-1]
    assert not (tmp_path / "dist" / "SHA256SUMS").exists()
