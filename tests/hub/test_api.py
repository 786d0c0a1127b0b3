"""The API and the page: their answers, refusals and escaping."""

from __future__ import annotations

import html.parser
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from smoker_hub.history.metrics import HistoryMetrics
from smoker_hub.history.recorder import History
from smoker_hub.history.store import Size
from smoker_hub.hub import Hub
from smoker_hub.incident import Incident
from smoker_hub.metrics import MOST, HubMetrics
from smoker_hub.nodes import Node
from smoker_hub.notify.delivery import Delivery
from smoker_hub.notify.notifier import Notifier
from smoker_hub.notify.options import receivers
from smoker_hub.otlp.exporter import Exporter
from smoker_hub.otlp.options import Options, Otlp
from smoker_hub.web.api import application
from smoker_hub.web.page.document import POLICY
from smoker_hub.web.sources import Sources
from smoker_hub.web.stream import Stream
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub.stand_ins import WALL, ManualClock, hub_of, probers
from tests.hub.test_diagnose import Inventory
from tests.metrics_page import rows

Got = tuple[int, bytes, dict[str, str]]
HOSTILE = '<img src=x onerror="alert(1)">\u202eevil\n'


def ask(hub: Hub, path: str, method: str = "GET", **more: str) -> Got:
    """Send a request. Return status, body and headers."""
    return ask_of(Sources(hub=hub, stream=Stream(hub)), path, method, **more)


def ask_of(
    sources: Sources,
    path: str,
    method: str = "GET",
    *,
    query: str = "",
    accept: str = "",
    tag: str = "",
    **more: str,
) -> Got:
    """Do the same with a hub that has more sources."""
    got: list[Any] = []
    env = {"PATH_INFO": path, "REQUEST_METHOD": method, "QUERY_STRING": query, "HTTP_ACCEPT": accept}
    env |= {"HTTP_IF_NONE_MATCH": tag, **more}
    body = b"".join(application(sources)(env, lambda *call: got.extend(call)))  # type: ignore[arg-type]
    return int(got[0].split()[0]), body, dict(got[1])


@pytest.fixture
def faulty() -> Iterator[Hub]:
    """A hub that knows of one node that is dead."""
    with probers(Cluster(nodes(5)).fail(lambda link: link.touches("node-2")).states()) as found:
        hub = hub_of(found, ManualClock())
        hub.look()
        hub.look()
        yield hub


def test_the_summary_is_one_sentence(faulty: Hub) -> None:
    """The summary has state, counts and age in addition to the sentence."""
    status, body, headers = ask(faulty, "/api/v1/summary")
    found = json.loads(body)
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert (found["state"], found["open"], found["probers"], found["silent"]) == ("faults", 1, 10, 0)
    assert found["sentence"].startswith("FAULT node-2: ")
    assert (found["cluster"], found["age"]) == ("blue", 0.0)


def test_findings_have_their_sentences_and_dates(faulty: Hub) -> None:
    """A finding by its id equals the one in the list."""
    found = json.loads(ask(faulty, "/api/v1/findings")[1])
    (one,) = found["open"]
    assert found["recent"] == []
    assert one["headline"].startswith("FAULT node-2: ")
    assert one["opened"] == WALL + 1000.0
    assert one["finding"]["scope"]["nodes"] == ["node-2"]
    assert json.loads(ask(faulty, f"/api/v1/findings/{one['id']}")[1]) == one


def test_nodes_name_their_probers_and_findings(faulty: Hub) -> None:
    """Every node is there by name, with both of its probers."""
    found = json.loads(ask(faulty, "/api/v1/nodes")[1])
    assert [node["node"] for node in found] == nodes(5)
    assert [prober["network"] for prober in found[1]["probers"]] == ["host", "pod"]
    assert found[1]["findings"]
    assert not found[0]["findings"]
    assert found[1]["probers"][0]["failing"] > 0


@pytest.mark.parametrize(
    ("accept", "query"), [("text/plain", ""), ("", "format=text"), ("application/json", "format=text")]
)
@pytest.mark.parametrize("path", ["summary", "findings", "nodes"])
def test_text_for_terminals(faulty: Hub, path: str, accept: str, query: str) -> None:
    """The Accept field or the parameter selects text: `kubectl get --raw` cannot set a field."""
    status, body, headers = ask(faulty, f"/api/v1/{path}", query=query, accept=accept)
    assert (status, headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert not body.startswith((b"{", b"["))
    assert path == "summary" or b"node-2" in body


@pytest.mark.parametrize(
    ("path", "method", "query", "status", "word"),
    [
        ("/api/v1/summary", "GET", "from=a", 400, "'from'"),
        ("/", "GET", "x=1", 400, "'x'"),
        ("/api/v1/summary", "GET", "format=xml", 400, "format"),
        ("/api/v1/summary", "GET", "format=text&format=json", 400, "twice"),
        ("/api/v1/summary", "GET", "x" * 9000, 400, "8192"),
        ("/api/v1/nothing", "GET", "", 404, "/api/v1/summary"),
        ("/api/v1/findings/ID", "GET", "", 400, "[0-9a-f]"),
        ("/api/v1/findings/00ff", "GET", "", 404, "00ff"),
        ("/../etc/passwd", "GET", "", 404, "no such path"),
        ("/api/v1/summary", "POST", "", 405, "GET, HEAD"),
    ],
)
def test_refused_requests_get_a_problem_document(
    faulty: Hub, path: str, method: str, query: str, status: int, word: str
) -> None:
    """A refusal has the status and the reason in words (RFC 9457)."""
    got, body, headers = ask(faulty, path, method, query=query)
    found = json.loads(body)
    assert (got, found["status"], headers["Content-Type"]) == (status, status, "application/problem+json")
    assert word in found["detail"]


@pytest.mark.parametrize("body", [{"CONTENT_LENGTH": "5"}, {"HTTP_TRANSFER_ENCODING": "chunked"}])
def test_a_body_is_refused(faulty: Hub, body: dict[str, str]) -> None:
    """A request with a body is refused; a length of 0 is no body."""
    assert ask(faulty, "/api/v1/summary", **body)[0] == 413
    assert ask(faulty, "/api/v1/summary", CONTENT_LENGTH="0")[0] == 200


def test_head_has_no_body(faulty: Hub) -> None:
    """HEAD has no body (RFC 9110 section 9.3.2)."""
    for path in ("/", "/api/v1/nodes", "/nothing"):
        _, body, headers = ask(faulty, path, "HEAD")
        assert body == b""
        assert int(headers["Content-Length"]) > 0


class Tags(html.parser.HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not any(name.startswith("on") or name == "style" for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_forbids_foreign_content(faulty: Hub) -> None:
    """The page has the sentence, then the finding with the next step, and nothing that its policy would refuse."""
    status, body, headers = ask(faulty, "/")
    page = Tags(body.decode())
    assert (status, headers["Content-Security-Policy"]) == (200, POLICY)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert not {"style", "iframe", "form"} & set(page.tags)
    sentence = page.text.index("FAULT node-2: ")
    assert sentence < page.text.index("FAULT node-2: ", sentence + 1) < page.text.index("Nodes")


def test_hostile_words_of_the_api_server_are_text() -> None:
    """Markup, bidirectional controls and line ends in the reason of a node's condition are shown as text."""
    reason = Inventory(node_2=Node(False, HOSTILE))
    with probers(Cluster(nodes(4)).fail(lambda link: link.touches("node-2")).states()) as found:
        hub = hub_of(found, ManualClock(), nodes=reason)
        hub.look()
        hub.look()
        assert any(HOSTILE in note for each in hub.incidents.open for note in each.finding.notes)
        page = ask(hub, "/")[1].decode()
        assert "img" not in Tags(page).tags
        texts = [ask(hub, f"/api/v1/{view}", query="format=text")[1].decode() for view in ("findings", "summary")]
        assert "\\u202eevil\\n" in texts[0]
        assert not any("\u202e" in text for text in (page, *texts))


def test_hostile_names_are_text() -> None:
    """Markup, bidirectional controls and line ends in a name are shown as text: on the page, in text, in metrics."""
    names = [*nodes(4), HOSTILE]
    with probers(Cluster(names).fail(lambda link: link.touches(HOSTILE)).states()) as found:
        hub = hub_of(found, ManualClock())
        hub.look()
        hub.look()
        body = ask(hub, "/")[1].decode()
        page = Tags(body)
        assert "img" not in page.tags
        assert "\u202e" not in body
        assert '<img src=x onerror="alert(1)">\\u202eevil\\n' in page.text
        text = ask(hub, "/api/v1/findings", query="format=text")[1].decode()
        assert "\\u202eevil\\n" in text
        assert "\u202e" not in text
        registry = CollectorRegistry()
        registry.register(HubMetrics(hub))
        series = [
            line for line in generate_latest(registry).decode().splitlines() if line.startswith("smoker_finding_open{")
        ]
        assert len(series) == 1


def test_the_summary_reports_blind_and_starting() -> None:
    """A hub that is cut off or starting is never healthy."""
    hub = hub_of([], ManualClock())
    assert json.loads(ask(hub, "/api/v1/summary")[1])["state"] == "starting"
    with probers(Cluster(nodes(5)).states()) as found:
        hub = hub_of(found, ManualClock())
        for prober in found[:6]:
            prober.raw = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"
        hub.look()
        summary = json.loads(ask(hub, "/api/v1/summary")[1])
        assert (summary["state"], summary["silent"]) == ("blind", 6)
        assert "4 of 10 probers" in summary["sentence"]
        assert ask(hub, "/")[0] == 200


def test_the_metrics_are_bounded_and_true(faulty: Hub) -> None:
    """There is one series for the finding, of fifty at most, and the number of probers by state."""
    registry = CollectorRegistry()
    registry.register(HubMetrics(faulty))
    assert registry.get_sample_value("smoker_hub_probers", {"state": "answering"}) == 10
    assert registry.get_sample_value("smoker_hub_probers", {"state": "silent"}) == 0
    (incident,) = faulty.incidents.open
    assert (registry.get_sample_value("smoker_finding_confidence_ratio", {"finding": incident.id}) or 0) >= 0.9
    many = [msgspec.structs.replace(incident.finding, id=f"{number:012x}") for number in range(MOST + 10)]
    faulty.incidents.resume(Incident(each, 1.0, 1.0, "open", opened=1.0) for each in many)
    for name in ("smoker_finding_open", "smoker_finding_confidence_ratio"):
        (family,) = (each for each in HubMetrics(faulty).collect() if each.name == name)
        assert len(list(family.samples)) == MOST == 50


def test_every_series_is_documented(faulty: Hub, tmp_path: Path) -> None:
    """Each metric of the hub has its row in docs/metrics.md with its type and labels, and each row its metric."""
    registry = CollectorRegistry()
    registry.register(HubMetrics(faulty))
    (options,) = receivers('[{"type": "webhook", "url": "http://127.0.0.1:9/"}]')
    registry.register(Notifier(faulty, [Delivery(options)]))
    registry.register(Exporter(faulty, Otlp(Options("http://127.0.0.1:9/"), None)))
    history = History(faulty, tmp_path)
    history.size = Size(1, 1.0)
    registry.register(HistoryMetrics(history))
    found = {
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type,
            {label for sample in family.samples for label in sample.labels},
        )
        for family in registry.collect()
    }
    known = {name: (row.kind, set(row.labels)) for name, row in rows().items()}
    assert found == {name: of for name, of in known.items() if name.startswith(("smoker_hub_", "smoker_finding_"))}
