"""What an image contains, and what it does not."""

from __future__ import annotations

import fnmatch
import json
import re
from functools import cache
from pathlib import PurePosixPath
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from tests.images import engine
from tests.images.closure import expected, projects
from tests.images.command import ROOT
from tests.images.conftest import Image

pytestmark = pytest.mark.engine

MEGABYTE = 10**6
UNUSED = ROOT / "dev" / "release" / "unused.txt"
ENVIRONMENT = PurePosixPath("/opt/smoker")
INVENTORY = """
import importlib.metadata, json, os, platform, sys
print(json.dumps({
    "prefix": sys.prefix,
    "distributions": {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()},
    "markers": {
        "implementation_name": sys.implementation.name,
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_system": platform.system(),
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    },
}))
"""


@cache
def inventory(image: Image) -> dict[str, Any]:
    """Return the interpreter's own data of an image."""
    harmless = ("--network", "none", "--read-only")
    return dict(json.loads(engine.run_once(*harmless, "--entrypoint", "python", image.tag, "-c", INVENTORY)))


def test_distributions(image: Image) -> None:
    """An image contains its service, its libraries and what these need, each in the locked version."""
    found = inventory(image)
    assert found["prefix"] == str(ENVIRONMENT)
    held = {canonicalize_name(name): version for name, version in found["distributions"].items()}
    assert held == expected(image.service, found["markers"])


def test_no_other_service(image: Image) -> None:
    """No file of an unneeded package of ours is in an image."""
    others = set(projects()) - set(expected(image.service, inventory(image)["markers"]))
    folders = {name.replace("-", "_") for name in others}
    assert folders
    assert not [path for path in engine.added(image.tag) if folders & set(path.parts)]


def test_nothing_beside_the_environment(image: Image) -> None:
    """All that is added to the base is one folder: so what the base lacks, a compiler for one, the image lacks too."""
    outside = {path for path in engine.added(image.tag) if ENVIRONMENT not in path.parents}
    assert outside <= {ENVIRONMENT, *ENVIRONMENT.parents}


def test_no_tools(image: Image) -> None:
    """That folder has no installer, build tool or source to compile, and the base's own installer is gone."""
    tools = {"pip", "setuptools", "wheel", "hatchling", "ensurepip", "cc", "gcc", "c++", "make"}
    sources = {".c", ".h", ".pyx", ".pxd"}
    paths = engine.added(image.tag)
    assert not [path for path in paths if tools & set(path.parts) or path.suffix in sources]
    look = "import importlib.util as u, shutil as s; print([x for x in TOOLS if u.find_spec(x) or s.which(x)])"
    code = f"TOOLS = {sorted(tools)}; {look}"
    assert (
        engine.run_once("--network", "none", "--read-only", "--entrypoint", "python", image.tag, "-c", code) == "[]\n"
    )


def test_each_module_has_byte_code(image: Image) -> None:
    """Each module has its byte code: with a read-only root each start would compile it again."""
    paths = {path for path in engine.added(image.tag) if ENVIRONMENT / "lib" in path.parents}
    modules = {path for path in paths if path.suffix == ".py"}
    compiled = {path.parent.parent / f"{path.name.split('.')[0]}.py" for path in paths if path.suffix == ".pyc"}
    assert modules
    assert modules - compiled == set()


def test_byte_code_of_the_base(image: Image) -> None:
    """The standard library has its byte code, as far as a service imports it, even if the base has none."""
    module = f"smoker_{image.service.replace('-', '_')}.__main__"
    look = (
        "sorted(m for m, x in sys.modules.items() if (c := getattr(x, '__cached__', None)) and not os.path.exists(c))"
    )
    code = f"import os, sys, {module}; print({look})"
    run = ("--network", "none", "--read-only", "--entrypoint", "python", image.tag, "-c", code)
    assert engine.run_once(*run) == "[]\n"


def test_an_image_has_at_most_45_mb(image: Image) -> None:
    """An image has at most 45 MB, compressed as registries and nodes transfer it."""
    size = sum(engine.compressed(image.tag).values())
    assert size <= 45 * MEGABYTE, f"{size / MEGABYTE:.1f} MB"


def test_only_listed_files_of_the_base_are_left_out(image: Image) -> None:
    """Of its base an image leaves out only what dev/release/unused.txt names, and that list of packages stays."""
    patterns = [line for line in UNUSED.read_text().splitlines() if line.startswith("/")]
    named = re.compile("|".join(f"(?:{fnmatch.translate(pattern)[:-2]})(?:/.*)?" for pattern in patterns))
    assert engine.left_out(image.tag)
    assert [path for path in engine.left_out(image.tag) if not named.fullmatch(str(path))] == []
    status = PurePosixPath("/var/lib/dpkg/status")
    assert status not in engine.left_out(image.tag)
