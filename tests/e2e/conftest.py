from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.chart import helm_binary
from tests.e2e import cluster
from tests.e2e.accuracy.lab import Lab
from tests.e2e.cluster import Namespace, fresh_namespace
from tests.e2e.release import FAST, Release, loaded_images
from tests.e2e.why import last_lines
from tests.images.command import CommandError


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Print the hub's last lines beside a failure."""
    report = yield
    if call.when == "call" and report.failed:
        for value in getattr(item, "funcargs", {}).values():
            release = value.release if isinstance(value, Lab) else value
            if isinstance(release, Release):
                report.sections.append((f"hub of {release.name}", last_lines(release, "hub")))
    return report


@pytest.fixture(scope="session")
def nodes() -> Iterator[set[str]]:
    """The nodes of the current cluster, which must answer. At the end nothing of these tests is left on it."""
    silent = ""
    try:
        cluster.kubectl("version", "--request-timeout=10s")
    except CommandError as error:
        silent = error.last_line
    if silent:
        pytest.fail(f"The end-to-end tests need a cluster that kubectl reaches: {silent}", pytrace=False)
    found = cluster.nodes()
    assert found
    yield found
    cluster.await_end()


@pytest.fixture(scope="session")
def images(nodes: set[str]) -> dict[str, object]:
    """The images of this checkout, built and loaded onto the nodes, as values for the chart."""
    return loaded_images()


@pytest.fixture(scope="module", params=helm_binary.MAJORS, ids=lambda major: f"helm{major}")
def each_helm(request: pytest.FixtureRequest) -> str:
    """Each Helm in turn. With CI=true both must be available."""
    try:
        return helm_binary.helm(request.param)
    except helm_binary.HelmMissingError as error:
        missing = str(error)
    if helm_binary.needed():
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)


@pytest.fixture(scope="session")
def helm() -> str:
    """The newest available Helm."""
    missing = ""
    for major in helm_binary.MAJORS:
        try:
            return helm_binary.helm(major)
        except helm_binary.HelmMissingError as error:
            missing = str(error)
    pytest.fail(f"The end-to-end tests need Helm. {missing}", pytrace=False)


@pytest.fixture(scope="module")
def namespace(nodes: set[str]) -> Iterator[Namespace]:
    """An empty namespace for one module."""
    with fresh_namespace() as made:
        yield made


@pytest.fixture(scope="session")
def shared(nodes: set[str], images: dict[str, object], helm: str) -> Iterator[Release]:
    """A release for all tests that do not change it."""
    with fresh_namespace() as made:
        release = Release("smoker", made, helm, {**FAST, **images})
        release.install()
        release.becomes("success", nodes)
        yield release
