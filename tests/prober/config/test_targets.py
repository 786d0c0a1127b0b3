"""TARGETS: what is probed by URL, its names, and mistakes."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import replace

import pytest

from smoker_prober.config import targets as externals
from smoker_prober.config.service import hosts, service
from smoker_prober.config.targets import External
from smoker_prober.probes.followups import trace
from smoker_prober.probes.http import Options
from smoker_prober.result import Outcome
from smoker_prober.round import Round
from smoker_prober.settings import read
from smoker_prober.sinks import log
from smoker_prober.target import Path, Target
from tests.hosts import BAD, BAD_BY_IDNA, BAD_BY_NUMBER, GOOD
from tests.prober.targets import HOST, NODE, Serve, answering, settings_of, until_closed
from tests.relay import refusing

LONGEST = "a" * 63
V6 = "fd00::1"


@pytest.mark.parametrize(
    ("text", "name", "target"),
    [
        ("tcp://10.96.0.1:443", "10.96.0.1:443", External("connect", "10.96.0.1", 443)),
        ("api=tcp://10.96.0.1:443", "api", External("connect", "10.96.0.1", 443)),
        (f"tcp://[{V6}]:6443", f"[{V6}]:6443", External("connect", V6, 6443)),
        ("tcp://[FD00:0::1]:1", f"[{V6}]:1", External("connect", V6, 1)),
        ("http://web", "web:80", External("http", "web", 80, Options())),
        ("http://web/", "web:80", External("http", "web", 80, Options("/"))),
        ("https://web", "web:443", External("http", "web", 443, Options("/", tls=True))),
        ("https://Web.Example./A", "web.example.:443", External("http", "web.example.", 443, Options("/A", tls=True))),
        ("w.w-1=http://a_b:8080/x?y=z&u=%2C#", None, None),
        ("w.w-1=http://a_b:8080/x?y=z&u=%2C", "w.w-1", External("http", "a_b", 8080, Options("/x?y=z&u=%2C"))),
        (f"{LONGEST}=http://[{V6}]/", LONGEST, External("http", V6, 80, Options())),
        ("7=https://1.2.3.4:65535/livez", "7", External("http", "1.2.3.4", 65535, Options("/livez", tls=True))),
    ],
)
def test_an_entry(text: str, name: str | None, target: External | None) -> None:
    """tcp gives a handshake, http and https a page; the name is the entry's own or host:port."""
    if name is None or target is None:
        with pytest.raises(ValueError, match="http"):
            externals.parse(text)
    else:
        assert externals.parse(text) == {name: target}


@pytest.mark.parametrize(
    "text",
    [
        "a=tcp://h:1,b=tcp://h:1",
        "a=tcp://h:1 b=tcp://h:1",
        " a=tcp://h:1,\n  b=tcp://h:1,\n",
        "a=tcp://h:1 , b=tcp://h:1",
    ],
)
def test_a_list(text: str) -> None:
    """Commas, spaces and lines separate entries, also repeated; the order is kept. Two names may have one target."""
    assert list(externals.parse(text)) == ["a", "b"]


def test_none() -> None:
    """Without the setting only the echo services are probed."""
    settings = settings_of({})
    assert hosts(settings) == {"smoker-server": service(settings, "smoker-server")}


@pytest.mark.parametrize("mesh", [{"DISCOVERY": "endpointslice"}, {"PEERS": "node-2=10.0.0.2:9464"}])
@pytest.mark.parametrize("probes", [("tcp", "udp", "http"), ("tcp", "http"), ("udp",)])
def test_echo_services_in_a_mesh(mesh: dict[str, str], probes: tuple[str, ...]) -> None:
    """In a mesh each echo service has a round of its own, evenly spread over the interval, if that leaves room."""
    short = settings_of({"PROBES": ",".join(probes), "TEST_INTERVAL": "1", "TEST_TIMEOUT": "1", **mesh})
    assert hosts(short) == {"smoker-server": service(short, "smoker-server")}
    settings = settings_of({"PROBES": ",".join(probes), **mesh})
    assert hosts(settings) == {
        f"smoker-server {target.probe}": (replace(target, spread=number / len(probes)),)
        for number, target in enumerate(service(settings, "smoker-server"))
    }


WRONG = [
    "web",
    "web:80",
    "ftp://h:1",
    "udp://h:1",
    "HTTP://h",
    "tcp://h",
    "tcp://h:1/",
    "tcp://:1",
    "tcp://h:0",
    "tcp://h:65536",
    "tcp://h:+1",
    "tcp://h:\uff11",
    "http://",
    "http:///x",
    "http://h:/x",
    "http://h?x",
    "http://h/x#y",
    "http://h/\u00e4",
    "http://h/\x00",
    "http://me:secret@h/",
    "http://-h/",
    "http://h-/",
    "http://a..b/",
    "http://.a/",
    f"http://{'a' * 64}/",
    f"http://{'a.' * 127}a/",
    "http://10.0.0.256/",
    "http://10.1/",
    "http://[10.0.0.1]/",
    "http://[fd00:::1]/",
    "http://fd00::1/",
    "=tcp://h:1",
    "A=tcp://h:1",
    "a_b=tcp://h:1",
    "-a=tcp://h:1",
    "a.=tcp://h:1",
    "a=b=tcp://h:1",
    f"{'a' * 64}=tcp://h:1",
]


@pytest.mark.parametrize("entry", WRONG)
def test_a_wrong_entry(entry: str) -> None:
    """The problem names the entry and what is allowed, also among right ones; the default is used instead."""
    settings, problems = read({"TARGETS": f"good=tcp://h:1,{entry}"})
    assert len(problems) == 1
    assert problems[0].startswith("TARGETS='good=tcp://h:1,")
    assert f" is not {externals.kind.allowed}; wrong: {entry[:60]!r}" in problems[0]
    assert settings.plan.targets == {}


SPLIT = re.compile(r"[,\s]")  # what ends an entry


def in_url(host: str) -> str:
    return f"[{host}]" if ":" in host and "[" not in host else host


@pytest.mark.parametrize(("text", "normal"), GOOD.items(), ids=ascii)
def test_a_host_in_a_url(text: str, normal: str) -> None:
    """Each host that SERVER_HOST may be is accepted, IPv6 in brackets, over each scheme."""
    urls = f"a=tcp://{in_url(text)}:1,b=http://{in_url(text)},c=https://{in_url(text)}:7/x"
    assert [target.host for target in externals.parse(urls).values()] == [normal] * 3


@pytest.mark.parametrize("text", [*BAD, *BAD_BY_IDNA, *BAD_BY_NUMBER], ids=ascii)
def test_an_invalid_host_in_a_url_is_refused(text: str) -> None:
    """An invalid host is refused over each scheme, except text that reads as a port or a path there."""
    if not SPLIT.search(text) and text not in ("host:80", "1.2.3.4:80", "[::1]:80", "a/b", "a/"):
        for url in (f"http://{text}", f"https://{text}/x"):
            with pytest.raises(ValueError, match=r"http"):
                externals.parse(url)
    if not SPLIT.search(text):
        with pytest.raises(ValueError, match="tcp"):
            externals.parse(f"tcp://{text}:1")


def test_a_zone_in_a_url() -> None:
    """The sign before a zone may be written as in RFC 6874."""
    for zone in ("%eth0", "%25eth0"):
        assert externals.parse(f"tcp://[fe80::1{zone}]:1") == {
            "[fe80::1%eth0]:1": (External("connect", "fe80::1%eth0", 1)),
        }


def test_all_mistakes_in_one_sentence() -> None:
    """The sentence has each wrong entry and each repeated name, nothing right, and no hint at Services' variables."""
    text = "tcp://h, a=tcp://h:1, a=http://h, x=ftp://h, http://h:9, http://h:9/other"
    problems = read({"TARGETS": text})[1]
    assert [str(problem).partition("; wrong: ")[2] for problem in problems] == [
        "'tcp://h', a twice, 'x=ftp://h', h:9 twice"
    ]


def test_a_long_entry_is_cut() -> None:
    """A long entry is cut, so that the sentence stays short."""
    problems = read({"TARGETS": "x" * 10_000})[1]
    assert len(problems[0]) < 500


@pytest.mark.parametrize(("network", "plane"), [("pod", "other"), ("host", "host-other")])
def test_hosts(network: str, plane: str) -> None:
    """Each target is a host of its own next to the Service, by name and plane, without a family."""
    text = "api=tcp://10.96.0.1:443,smoker-server=https://web/x"
    settings = settings_of({"TARGETS": text, "NETWORK": network})
    api, shop = (Path("external", name, plane) for name in ("api", "smoker-server"))
    traced = (trace.Options(33434),)
    assert hosts(settings) == {
        "smoker-server": service(settings, "smoker-server"),
        f"api {plane}": (Target("connect", "10.96.0.1", 443, api, on_failure=traced),),
        f"smoker-server {plane}": (Target("http", "web", 443, shop, Options("/x", tls=True), on_failure=traced),),
    }


def test_a_round_of_each(listen: Callable[[Serve], int]) -> None:
    """Each target has one result by its name, in lines and JSON; a failure is one, too."""
    page = listen(answering(b"HTTP/1.1 302 X\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n"))
    api = listen(until_closed)
    with refusing() as nobody:
        text = f"page=http://{HOST}:{page}/x api=tcp://{HOST}:{api} tcp://{HOST}:{nobody}"
        settings = settings_of({"TARGETS": text, "NODE_NAME": NODE})
        _service, *others = hosts(settings).values()
        results = [result for each in others for result in Round.of(settings, each).results()]
    found = [(result.probe, str(result.target), result.outcome, result.fields.get("status")) for result in results]
    assert found == [
        ("http", "page", Outcome.SUCCESS, 302),
        ("connect", "api", Outcome.SUCCESS, None),
        ("connect", f"{HOST}:{nobody}", Outcome.REFUSED, None),
    ]
    lines = [log.line(result, 0.0).partition(f"[NODE:{NODE}] ")[2] for result in results]
    assert lines[0].startswith("[HTTP] SUCCESS latency=")
    assert lines[0].endswith("ms target=page plane=other")
    assert lines[1].startswith("[CONNECT] SUCCESS latency=")
    assert lines[1].endswith("ms target=api plane=other")
    assert lines[2] == f"[CONNECT] FAILED error=refused target={HOST}:{nobody} plane=other"
    fields = results[1].fields
    assert (fields["probe"], fields["target"], fields["plane"]) == ("connect", "api", "other")
    assert "family" not in fields


def test_from_a_host_network(listen: Callable[[Serve], int]) -> None:
    """The line has the plane of the host network."""
    port = listen(lambda sock: sock.shutdown(socket.SHUT_RDWR))
    settings = settings_of({"TARGETS": f"api=tcp://{HOST}:{port}", "NETWORK": "host"})
    (result,) = Round.of(settings, hosts(settings)["api host-other"]).results()
    assert log.line(result, 0.0).endswith("ms target=api plane=host-other")
