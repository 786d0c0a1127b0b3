"""The plan of `docker buildx bake`, and the labels of the images."""

from __future__ import annotations

import pytest
import yaml

from tests.images import engine
from tests.images.closure import projects
from tests.images.command import ROOT
from tests.images.conftest import Image

pytestmark = pytest.mark.engine


def test_one_image_a_service() -> None:
    """The matrix names each folder of services/, and nothing else."""
    assert sorted(engine.plan()) == engine.SERVICES


def test_names() -> None:
    """With nothing set, the images are called what the chart of a checkout asks for."""
    targets = engine.plan(REGISTRY=None, VERSION=None)
    tag = yaml.safe_load((ROOT / "charts" / "smoker" / "Chart.yaml").read_text())["appVersion"]
    assert {name: target["tags"] for name, target in targets.items()} == {
        service: [f"smoker-{service}:{tag}"] for service in engine.SERVICES
    }


@pytest.mark.parametrize("registry", ["registry.example/team", "registry.example/team/"])
def test_registry_and_version(registry: str) -> None:
    """REGISTRY, with or without a slash at its end, stands before the names, VERSION behind them and in the labels."""
    for service, target in engine.plan(REGISTRY=registry, VERSION="1.2.3").items():
        assert target["tags"] == [f"registry.example/team/smoker-{service}:1.2.3"]
        assert target["args"]["VERSION"] == "1.2.3"


def test_platforms() -> None:
    """PLATFORMS is a list with commas; without it, the builder's own platform is taken."""
    for target in engine.plan(PLATFORMS="linux/amd64,linux/arm64").values():
        assert target["platforms"] == ["linux/amd64", "linux/arm64"]
    for target in engine.plan(PLATFORMS=None).values():
        assert "platforms" not in target


def test_base() -> None:
    """PYTHON_IMAGE chooses the base of all of them."""
    targets = engine.plan(PYTHON_IMAGE="example/python:3.14").values()
    assert {target["args"]["PYTHON_IMAGE"] for target in targets} == {"example/python:3.14"}


def test_labels(image: Image) -> None:
    """The OCI labels say what the package says of itself, and the version that was baked."""
    project = projects()[f"smoker-{image.service}"]
    labels = engine.inspect(image.tag)["Config"]["Labels"]
    prefix = "org.opencontainers.image."
    assert {name.removeprefix(prefix): text for name, text in labels.items() if name.startswith(prefix)} == {
        "title": project["name"],
        "description": project["description"],
        "version": image.tag.rpartition(":")[2],
        "licenses": project["license"],
    }
