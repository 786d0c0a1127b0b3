"""The plan: a file that is read as a whole, and its mistakes by line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

from smoker_prober.config.document import DEEPEST, LARGEST, MOST
from smoker_prober.config.load import load_file, read
from smoker_prober.config.plan import Plan, differences, keys
from smoker_prober.config.target_list import MOST as MOST_TARGETS
from smoker_prober.config.targets import External
from smoker_prober.probes import dns_options, http
from tests.prober.config import pages

WHOLE = b"""
interval: 1m
timeout: 500ms
latency: duration
trace: false
logLevel: debug
probes:
  udp: {packets: 0, mtuInterval: 0, flows: false, keptFlow: false}
  http: {path: /livez}
service: {host: echoes.example, ports: {tcp: 1, udp: 2, http: 3, stamp: 4}, probes: [http, tcp]}
mesh: {peers: 1e+03, probes: udp}
dns: {name: web.shop, replicas: {namespace: dns, service: coredns}}
bandwidth: {enabled: true, every: 2h, bytes: 65536, duration: 500ms}
apiServer: true
targets:
  - {name: api, probe: connect, host: kubernetes.default, port: 443}
  - {name: page, probe: http, host: web}
  - {name: shop, url: "https://shop.example/health", interval: 1h, timeout: 9}
  - {name: root, url: "https://shop.example/"}
  - probe: dns
    host: 10.96.0.10
    dns: {name: example.org, type: [A, AAAA], expect: {rcode: nxdomain}}
"""
WRONG = b"""\
intervall: 30s
timeout: 5d
probes:
  udp: {packets: 10000}
  http: {path: foo}
service: {host: a b, probes: [tcp, smtp]}
mesh: [1]
mesh: {peers: 5}
logLevel: {a: b}
latency: !mine network
targets:
  - {name: api, probe: connect, host: a, port: 443}
  - {name: api, probe: connect, host: b, port: 443}
  - {name: c, probe: connect, url: "https://c/"}
  - {name: d, url: "https://d/", host: e, port: 1}
  - {name: f}
  - {name: g, probe: http}
  - {name: h, probe: connect, host: h}
  - {name: i, probe: connect, host: i, port: 5, http: {path: /}}
  - {name: J, url: "c=tcp://j:1"}
  - nothing
  - {name: k, url: "https://k/", http: {tls: false}}
"""


def texts(content: bytes) -> list[tuple[int, str]]:
    """Return the mistakes in a file: lines and texts."""
    return [(mistake.line, mistake.text) for mistake in read(content)[1]]


def test_every_key_is_read() -> None:
    """A file can say every key. An entry of `targets` begins with the options under `probes`; a URL wins over them."""
    plan, mistakes = read(WHOLE)
    assert mistakes == []
    of_probes = {key.name for key in keys() if key.name.startswith("probes.")}
    said = {
        "probes.udp.packets",
        "probes.udp.mtuInterval",
        "probes.udp.flows",
        "probes.udp.keptFlow",
        "probes.http.path",
    }
    assert set(differences(plan, Plan())) == {key.name for key in keys()} - of_probes | said
    assert (plan.interval, plan.timeout, plan.log_level, plan.mesh.peers) == (60.0, 0.5, "DEBUG", 1000)
    assert (plan.service.probes, plan.mesh.probes) == (("tcp", "http"), ("udp",))
    assert plan.targets == {
        "api": External("connect", "kubernetes.default", 443),
        "page": External("http", "web", 80, http.Options("/livez")),
        "shop": External("http", "shop.example", 443, http.Options("/health", tls=True), 3600.0, 9.0),
        "root": External("http", "shop.example", 443, http.Options("/", tls=True)),
        "10.96.0.10:53": External(
            "dns",
            "10.96.0.10",
            53,
            dns_options.Options("example.org.", ("A", "AAAA"), expect=dns_options.Expect("NXDOMAIN")),
        ),
    }


@pytest.mark.parametrize(
    ("content", "port"),
    [
        (b"targets: [{probe: http, host: h}]", 80),
        (b"targets: [{probe: http, host: h, http: {tls: true}}]", 443),
        (b"targets: [{probe: http, host: h, port: 8443, http: {tls: true}}]", 8443),
        (b"targets: [{probe: http, host: h}]\nprobes: {http: {tls: true}}", 443),
        (b"targets: [{probe: http, host: h, http: {tls: false}}]\nprobes: {http: {tls: true}}", 80),
        (b"targets: [{probe: websocket, host: h, websocket: {tls: true}}]", 443),
        (b"targets: [{probe: websocket, host: h}]", 80),
        (b"targets: [{probe: tls, host: h}]", 443),
        (b'targets: [{url: "dns://h/x.example"}]', 53),
        (b'targets: [{url: "dns://h/x.example", dns: {transport: tls}}]', 853),
        (b'targets: [{url: "dns://h:53/x.example", dns: {transport: tls}}]', 53),
        (b'targets: [{url: "dns://h/x.example"}]\nprobes: {dns: {transport: tls}}', 853),
        (b'targets: [{url: "dns://h/x.example?transport=tcp"}]\nprobes: {dns: {transport: tls}}', 53),
        (b'targets: [{url: "http://h/", http: {tls: true}}]', 443),
        (b'targets: [{url: "http://h/"}]\nprobes: {http: {tls: true}}', 80),
        (b'targets: [{url: "wss://h/"}]', 443),
    ],
)
def test_the_default_port_depends_on_the_options(content: bytes, port: int) -> None:
    """A target without a port has the port of its protocol with or without TLS, wherever the file sets `tls`."""
    plan, mistakes = read(content)
    assert mistakes == []
    assert {name: target.port for name, target in plan.targets.items()} == {f"h:{port}": port}


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"---\n", b"interval:\nmesh: ~\ntargets: null\n"])
def test_an_empty_value_counts_as_absent(content: bytes) -> None:
    """A file without a value is the default plan, because a template leaves empty values."""
    assert read(content) == (Plan(), [])


def test_all_mistakes_at_once_with_their_lines() -> None:
    """Every mistake has its line, its place and the nearest known key, or what is allowed."""
    found = texts(WRONG)
    assert [line for line, _text in found] == [
        1,
        2,
        4,
        5,
        6,
        6,
        7,
        8,
        9,
        10,
        13,
        14,
        15,
        15,
        16,
        17,
        18,
        19,
        20,
        20,
        21,
        22,
    ]
    said = "\n".join(text for _line, text in found)
    for words in (
        "'intervall' is not a key here; did you mean interval?",
        "timeout: '5d' is not a duration from 1ms to 1h",
        "probes.udp.packets: '10000' is not a whole number from 0 to 1000",
        "service.host: 'a b' is not a host, which is a name",
        "service.probes: 'tcp,smtp' is not a comma- or space-separated list of tcp, udp, http",
        "mesh: this must be a map with the keys peers, probes",
        "'mesh' is given twice, first in line 7",
        "logLevel: a map is not one of TRACE, DEBUG",
        "latency: the tag '!mine' is not allowed here",
        "targets[1]: a second target of the name api; the first is in line 12",
        "targets[2]: probe connect beside a URL of the probe http",
        "targets[3]: port beside url, which contains it already",
        "targets[4]: it needs probe or url",
        "targets[5]: it needs host or url",
        "targets[6]: it needs port, because connect has no default port",
        "targets[7]: 'http' has options of a probe other than connect",
        "targets[8].name: 'J' is not a name",
        "targets[8].url: 'c=tcp://j:1' is not one of",
        "targets[9]: this must be a map with the keys name, probe",
        "targets[10]: tls: false beside a URL over TLS",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"interval: 30s\nmesh: {peers: 5\n", 3, "not YAML: while parsing a flow mapping"),
        (b"a: b: c", 1, "not YAML: mapping values are not allowed"),
        (b"interval: 1\n---\ninterval: 2\n", 2, "not YAML: expected a single document"),
        (b"interval: *x\n", 1, "not YAML: found undefined alias"),
        (b"a: 1\nb: \xff\n", 2, "a byte that is not UTF-8"),
        (b"a: 1\nb: \x07\n", 2, "a character that YAML does not allow"),
        (b"targets: " + b"[" * (DEEPEST + 1), 1, f"more than {DEEPEST} lists and maps inside each other"),
        (b"[" + b"1," * (MOST + 1) + b"]", 1, f"more than {MOST} values"),
        (b"#" * (LARGEST + 1), 0, f"it has {LARGEST + 1} bytes; the limit is {LARGEST}"),
        (b"- 1", 1, "this must be a map with the keys interval"),
        (b"!!python/object:os.system {}", 1, "this must be a map with the keys"),
        (b"targets: {a: b}", 1, "targets: this must be a list"),
        (b"probes: &a {udp: *a}", 1, "probes.udp: 'udp' is not a key here"),
        (b"<<: {interval: 5}", 1, "'<<' is not a key here"),
        (
            b"targets:\n"
            + b"".join(b"- {probe: connect, host: a, port: %d}\n" % (i + 1) for i in range(MOST_TARGETS + 1)),
            MOST_TARGETS + 2,
            "more than 1024 targets",
        ),
    ],
)
def test_malformed_plans_are_mistakes_with_a_line(content: bytes, line: int, words: str) -> None:
    """Wrong syntax, bytes, sizes and shapes are mistakes with a line, never an exception."""
    assert any(line == at and words in text for at, text in texts(content)), texts(content)[:3]


def test_aliases() -> None:
    """A part of a file may repeat another. What aliases repeat counts."""
    plan, mistakes = read(
        b"targets:\n- {name: a, probe: http, host: h, http: &o {path: /x}}\n"
        b"- {name: b, probe: http, host: i, http: *o}\n"
    )
    assert (plan.targets["b"].options, mistakes) == (http.Options("/x"), [])
    many = b"targets: [&a {interval: 1, timeout: 1, name: [], host: [], port: [], url: []}" + b", *a" * 20_000 + b"]"
    assert len(read(many)[1]) <= 101


def test_numbers_and_words_that_yaml_would_change() -> None:
    """A value is its text: `on`, `12:30` and 0o10 are no switch, no sexagesimal and no octal number."""
    assert [
        text.partition(" is not")[0] for _line, text in texts(b"interval: 12:30\nlogLevel: on\nmesh: {peers: 0o10}")
    ] == [
        "interval: '12:30'",
        "logLevel: 'on'",
        "mesh.peers: '0o10'",
    ]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file and a folder are mistakes that name it; no file is the plan of the variables."""
    for file in (tmp_path / "none", tmp_path):
        (problem,) = load_file({}, str(file)).problems
        assert problem.startswith(f"{file}: ")
    assert load_file({}, "").plan == Plan()


def test_the_pages_are_made_of_the_model() -> None:
    """The schema of the file, the chart's part of it and the tables are those that the model makes."""
    for path, text in pages.pages().items():
        assert path.read_text() == text, f"{path}: python -m tests.prober.config.pages --write"


def test_the_schema_agrees() -> None:
    """A validator of JSON Schema accepts the correct file, and refuses mistakes that it can judge."""
    schema = json.loads(pages.SCHEMA.read_text())
    Draft7Validator.check_schema(schema)
    right = yaml.safe_load(WHOLE.decode())
    right["logLevel"], right["mesh"] = "DEBUG", {"peers": 1000, "probes": ["udp"]}  # a schema knows one spelling
    right["targets"][-1]["dns"]["expect"]["rcode"] = "NXDOMAIN"
    assert list(Draft7Validator(schema).iter_errors(right)) == []
    wrong = [
        {"intervall": 1},
        {"timeout": "5w"},
        {"mesh": [1]},
        {"probes": {"udp": {"packets": 10_000}}},
        {"targets": [{"name": "J"}]},
    ]
    assert all(not Draft7Validator(schema).is_valid(each) for each in wrong)


def test_every_key_is_declared_once() -> None:
    """No two keys have one name, and each default is a value that its own kind reads back."""
    found = list(keys())
    assert len({key.name for key in found}) == len(found)
    for key in found:
        if isinstance(key.default, str | float | int) and key.default != "":
            assert key.option.kind(str(key.default)) == key.default, key.name
    assert dataclasses.replace(Plan()) == Plan()
