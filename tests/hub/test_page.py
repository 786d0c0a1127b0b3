"""The served page: document, files and caching."""

from __future__ import annotations

import gzip
import re

import pytest

from smoker_hub.web.page import document, files
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub.stand_ins import ManualClock, hub_of, probers
from tests.hub.test_api import ask

LARGEST = 60_000  # bytes of scripts and styles, compressed


def test_the_policy_allows_own_files_alone() -> None:
    """The policy allows no inline script or style and no other origin, and Trusted Types without any policy."""
    rules = dict(rule.split(" ", 1) for rule in document.POLICY.split("; "))
    assert (rules["default-src"], rules["script-src"], rules["style-src"]) == ("'none'", "'self'", "'self'")
    assert (rules["require-trusted-types-for"], rules["trusted-types"]) == ("'script'", "'none'")
    assert "unsafe" not in document.POLICY


def test_the_document_names_files_that_exist() -> None:
    """Each module and style sheet of the document is served, may be cached for ever, and answers its ETag with 304."""
    hub = hub_of([], ManualClock())
    body = ask(hub, "/")[1].decode()
    named = re.findall(r'(?:href|src)="(static/[^"]+)"', body)
    assert len(named) > 10
    for name in named:
        status, _, headers = ask(hub, f"/{name}")
        assert (status, headers["Cache-Control"]) == (200, files.FOR_EVER)
        assert headers["Content-Type"] in files.KINDS.values()
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert ask(hub, f"/{name}", tag=headers["ETag"])[:2] == (304, b"")


def test_every_import_is_served() -> None:
    """A module imports only files that are served."""
    for name, file in files.FILES.items():
        if name.startswith("app/") and name.endswith(".js"):
            for folder, other in re.findall(r'(?:from|import)\s*\(?\s*"(\.\.?)/([^"]+)"', file.body.decode()):
                assert (other if folder == ".." else f"app/{other}") in files.FILES


def test_a_file_of_another_hub_is_not_kept() -> None:
    """During a rollout a browser may ask one replica for files of the other.

    It gets these files, and asks again later.
    """
    hub = hub_of([], ManualClock())
    status, _, headers = ask(hub, "/static/000000000000/app/main.js")
    assert (status, headers["Cache-Control"]) == (200, "no-cache")


@pytest.mark.parametrize("path", ["app/../document.py", "document.py", "app/", "", "../page.css", "vendor/LICENSES"])
def test_nothing_else_is_served(path: str) -> None:
    """Only listed files are served: no path is ever joined to a folder."""
    assert ask(hub_of([], ManualClock()), f"/static/{files.DIGEST}/{path}")[0] == 404


@pytest.mark.parametrize(
    ("accept", "packed"),
    [("gzip, br", True), ("GZIP;q=0.5", True), ("gzip;q=0", False), ("gzip; q=0.0", False), ("br", False), ("", False)],
)
def test_files_are_compressed_where_the_client_takes_it(accept: str, packed: bool) -> None:
    """Both forms are the same file, and a cache distinguishes them."""
    hub, path = hub_of([], ManualClock()), f"/{files.BASE}/app/main.js"
    _, body, headers = ask(hub, path, HTTP_ACCEPT_ENCODING=accept)
    assert headers.get("Content-Encoding") == ("gzip" if packed else None)
    assert headers["Vary"] == "Accept-Encoding"
    assert (gzip.decompress(body) if packed else body) == files.FILES["app/main.js"].body


def test_the_page_is_small() -> None:
    """All that a browser loads in all views fits into 60 kB, compressed: the document, modules, styles, libraries."""
    hub = hub_of([], ManualClock())
    whole = [gzip.compress(ask(hub, "/")[1], 9)]
    for name in sorted(files.FILES.keys() - document.LATER):
        status, body, _ = ask(hub, f"/{files.BASE}/{name}", HTTP_ACCEPT_ENCODING="gzip")
        assert status == 200
        whole.append(body)
    assert sum(map(len, whole)) <= LARGEST


def test_the_address_has_the_parameters_that_the_script_knows() -> None:
    """The hub accepts every link that the page makes, and the document is not cached."""
    script = files.FILES["app/route.js"].body.decode()
    known = re.search(r"KNOWN = \[([^\]]*)\]", script)
    assert known is not None
    assert re.findall(r'"(\w+)"', known[1]) == [each.name for each in document.PARAMETERS]
    hub = hub_of([], ManualClock())
    status, _, headers = ask(hub, "/", query="view=path&from=node-1&to=node-2&at=1700000000.5&zone=a")
    assert (status, headers["Cache-Control"]) == (200, "no-store")
    assert ask(hub, "/", query="colour=red")[0] == 400


def test_the_document_has_the_findings_without_scripts() -> None:
    """The document has the sentence, its moment, the finding with evidence and command, and the nodes.

    It never loads itself again.
    """
    with probers(Cluster(nodes(5)).fail(lambda link: link.touches("node-2")).states()) as found:
        hub = hub_of(found, ManualClock())
        hub.look()
        hub.look()
        body = ask(hub, "/")[1].decode()
    order = [
        "FAULT node-2: ",
        "</h1>",
        ", as of 20",
        '<a href="./">Load again</a>',
        "paths to or from node-2 fail",
        "kubectl describe node node-2",
        "<h2>Nodes</h2>",
    ]
    after = body.index("<h1")  # the sentence is the title, too
    places = [body.index(each, after) for each in order]
    assert places == sorted(places)
    assert 'http-equiv="refresh"' not in body
