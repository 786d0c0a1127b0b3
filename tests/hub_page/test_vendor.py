"""The libraries in the repository are those of the lock file, bundled by our script, and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from smoker_hub.web.page import files

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "dev" / "page"


def test_the_vendored_files_are_the_libraries(tmp_path: Path) -> None:
    """Bundled again from the locked packages they are the same, byte for byte."""
    subprocess.run(["node", SOURCE / "vendor.mjs", tmp_path], check=True, timeout=60)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_bytes() for path in (files.FOLDER / "vendor").iterdir()}
    assert made.keys() == kept.keys()
    assert [name for name, body in made.items() if kept[name] != body] == []


def test_the_lock_has_hashes_and_no_host() -> None:
    """Every package has an exact version and a hash, and none names a host."""
    lock = json.loads((SOURCE / "package-lock.json").read_text())
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert packages
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())
    assert not [name for name, each in packages.items() if "resolved" in each]
    wanted = json.loads((SOURCE / "package.json").read_text())
    exact = wanted["dependencies"] | wanted["devDependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in exact.values())
