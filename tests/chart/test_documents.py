"""The chart's own documents: README, NOTES.txt, Chart.yaml."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.notes import commands_in

from .render import ALL, HOST, NO_MESH, ROWS, Helm, merged
from .schema import entry
from .selection import selected
from .values_table import CHART, END, Row, defaults, described, rows, table, with_table

#: What no value sets, but where and as what the release is installed.
OF_THE_RELEASE = {"NETWORK", "NAMESPACE", "PEER_SERVICE", "PEER_HOST_SERVICE", "ECHO_PORTS"}
OF_THE_RELEASE |= {"PEER_ADMIN_PORT", "PEER_HOST_ADMIN_PORT"}
README = (CHART / "README.md").read_text()


def notes(helm: Helm, folder: Path, values: dict[str, Any], release: str = "smoker", namespace: str = "default") -> str:
    """Return NOTES.txt as Helm renders it.

    Helm prints it only on installation, so a copy of the chart has it as an object.
    """
    chart = shutil.copytree(CHART, folder / "smoker", dirs_exist_ok=True)
    shutil.copy(CHART / "templates" / "NOTES.txt", chart / "notes")
    carrier = 'kind: Notes\nmetadata: {name: notes}\ntext: {{ tpl (.Files.Get "notes") . | quote }}\n'
    (chart / "templates" / "carrier.yaml").write_text(carrier)
    found = helm.render(values, release=release, namespace=namespace, chart=chart)
    return str(found.get("Notes", "notes")["text"])


def commands(text: str) -> list[list[str]]:
    """Return the commands in the notes: lines indented by four. No other line is one."""
    shown = [line.removeprefix("    ") for line in text.splitlines() if line.startswith("    ")]
    assert shown == commands_in(text)
    return [shlex.split(line) for line in shown]


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def test_the_values_table_is_up_to_date() -> None:
    """The README's table matches values.yaml; `python tests/chart/values_table.py --write` writes it."""
    assert with_table(README, table(ROWS)) == README
    assert len(ROWS) > 50


def test_defaults_yaml_is_up_to_date() -> None:
    """The chart's defaults.yaml matches values.yaml; the same command writes it."""
    assert defaults(ROWS) == (CHART / "defaults.yaml").read_text()


def test_schema_describes_every_value() -> None:
    """The schema has the description of each value, for editors; the same command writes it."""
    schema = (CHART / "values.schema.json").read_text()
    assert described(schema, ROWS) == schema
    for row in ROWS:
        assert entry(row.key)["description"] == row.text


def test_descriptions_of_a_shared_level() -> None:
    """Two groups that share a definition have their own descriptions and keep its rules."""
    shared = {"type": "object", "properties": {"port": {"type": "integer"}}}
    schema = {"properties": {key: {"$ref": "#/definitions/d"} for key in "ab"}, "definitions": {"d": shared}}
    found = json.loads(described(json.dumps(schema), [Row("a.port", 1, "One."), Row("b.port", 2, "Two.")]))
    for key, text in (("a", "One."), ("b", "Two.")):
        assert found["properties"][key]["properties"]["port"] == {"description": text, "type": "integer"}


def test_the_table_names_the_variable_of_every_setting(helm: Helm) -> None:
    """The table names the variable of every setting, next to the value that sets it."""
    release = helm.render()
    for component in ("tcp-echo", "udp-echo", "http-echo", "prober", "hub"):
        for variable in release.env(component).keys() - OF_THE_RELEASE:
            assert any(f"(`{variable}`)" in row.text for row in ROWS), variable


def test_values_without_a_comment_are_noticed() -> None:
    """The table cannot be made if values lack a comment, or have one at another indentation."""
    assert [row.key for row in rows("a:\n  # -- One.\n  # Two.\n  b: 1\n")] == ["a.b"]
    assert rows("# -- One,\n# two.\nb: {c: 1}\n")[0].text == "One, two."
    for source in ("b: 1\n", "# plain\nb: 1\n", "a:\n# -- One.\n  b: 1\n", "# -- One.\n\nb: 1\n"):
        with pytest.raises(ValueError, match="has no comment"):
            rows(source)
    with pytest.raises(ValueError, match="README"):
        with_table("no table here" + END, "")


def test_notes_commands(helm: Helm, tmp_path: Path) -> None:
    """The notes contain six commands, which use this release's namespace; all but the forwarding end by themselves."""
    for values in ({}, ALL):
        found = commands(notes(helm, tmp_path, values, "lungs", "net"))
        assert [command[:2] for command in found] == [
            ["helm", "test"],
            ["kubectl", "logs"],
            ["kubectl", "port-forward"],
            ["kubectl", "logs"],
            ["kubectl", "get"],
            ["kubectl", "get"],
        ]
        for command in found:
            assert option(command, "-n") == "net"
            assert not {"-f", "--follow", "-w", "--watch"} & set(command)
        assert found[0][2] == "lungs"


def test_notes_selectors(helm: Helm, tmp_path: Path) -> None:
    """The selectors in the notes select this release's probers, all its pods, and its Service's endpoints."""
    _, hub, forward, logs, get_pods, slices = commands(notes(helm, tmp_path, {}, "lungs"))
    release, other = helm.render(release="lungs"), helm.render(release="other")
    everything = {"tcp-echo", "udp-echo", "http-echo", "prober", "hub", "test"}
    for command, components in ((logs, {"prober"}), (get_pods, everything)):
        selector = {"matchLabels": dict(pair.split("=") for pair in option(command, "-l").split(","))}
        assert selected(selector, release) == components
        assert not selected(selector, other)
    assert hub[-1] == "deploy/lungs-hub"
    assert release.get("Deployment", "lungs-hub")
    assert forward[-2:] == ["service/lungs-hub", "8083:http"]
    assert release.get("Service", "lungs-hub")
    assert option(slices, "-l") == "kubernetes.io/service-name=lungs-server"
    assert release.get("Service", "lungs-server")


def test_notes_of_the_mesh(helm: Helm, tmp_path: Path) -> None:
    """The notes mention peers if there are some, and the needs of the host network if it is enabled."""
    plain, none, host = (notes(helm, tmp_path, values) for values in ({}, NO_MESH, HOST))
    assert "FAILED error=timeout peer=node-2 plane=pod family=ipv4" in plain
    assert "peer=" not in none
    assert "privileged" not in plain
    assert "privileged" in host
    assert "smoker-host" in host
    assert helm.render(HOST).get("DaemonSet", "smoker-host")


def test_notes_of_some_probes(helm: Helm, tmp_path: Path) -> None:
    """If not all protocols are probed, the notes name those that are."""
    assert " probes them every 30 s" in notes(helm, tmp_path, {})
    assert " probes them over TCP and UDP every 30 s" in notes(helm, tmp_path, {"prober": {"probes": ["tcp", "udp"]}})


def test_notes_are_whole(helm: Helm, tmp_path: Path) -> None:
    """The notes have every value filled in, fit a terminal, and leave no trace of a missing value."""
    for more in ({}, NO_MESH, HOST):
        text = notes(helm, tmp_path, {"prober": {"intervalSeconds": 7, "timeoutSeconds": 2}, **more})
        assert "every 7 s" in text
        assert "within 2 s" in text
        assert not re.search(r"<no value>|<nil>|%!|\n\n\n", text)
        assert all(len(line) <= 130 for line in text.splitlines())


def test_helm_lint_reports_nothing(helm: Helm) -> None:
    """`helm lint --strict` reports nothing about the chart, with any values of ci/."""
    for values in sorted((CHART / "ci").glob("*-values.yaml")):
        said = helm.run("lint", "--strict", str(CHART), "--values", str(values))
        assert "0 chart(s) failed" in said
        assert not re.search(r"\[(WARNING|ERROR)\]", said), said


def test_cluster_versions(helm: Helm) -> None:
    """The chart accepts the version strings of managed clusters, and refuses clusters that are too old."""
    for version in ("1.25.0", "v1.31.2-gke.100", "v1.31.2+k3s1"):
        assert helm.run("template", "smoker", str(CHART), "--kube-version", version)
    with pytest.raises(Exception, match="incompatible with Kubernetes"):
        helm.run("template", "smoker", str(CHART), "--kube-version", "1.24.9")


def test_notes_say_where_the_page_is(helm: Helm, tmp_path: Path) -> None:
    """The notes give the page's address: through a forwarded port, or at the first host of the Ingress."""
    forwarded = "http://localhost:8083/ while this runs:"
    ingress = {"enabled": True, "hosts": ["smoker.example.com"], "withoutLogin": True}
    assert f"Its page is on {forwarded}" in notes(helm, tmp_path, {})
    reached = notes(helm, tmp_path, {"hub": {"ingress": ingress}})
    assert f"Its page is on http://smoker.example.com, and on {forwarded}" in reached


def test_notes_warn_where_prometheus_is_shut_out(helm: Helm, tmp_path: Path) -> None:
    """With policies and a monitor the notes warn until networkPolicy.adminFrom names a client."""
    policy: dict[str, Any] = {"enabled": True}
    scraped = {"metrics": {"podMonitor": {"enabled": True}}, "networkPolicy": policy}
    warning = "WARNING: the network policies let no Prometheus scrape."
    assert warning in notes(helm, tmp_path, scraped)
    assert warning not in notes(helm, tmp_path, {"networkPolicy": policy})
    policy["adminFrom"] = [{"namespaceSelector": {}}]
    assert warning not in notes(helm, tmp_path, scraped)


#: Values that install every object, except those that exclude others of them.
OBJECTS = {
    "hub": {
        "replicas": 2,
        "auth": {"existingSecret": "login"},
        "ingress": {"enabled": True, "hosts": ["smoker.example"]},
    },
    **{echo: {"replicas": 2} for echo in ("tcpEcho", "udpEcho", "httpEcho")},
    "bandwidth": {"enabled": True},
    "networkPolicy": {"enabled": True},
    "metrics": {
        "podMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "dashboards": {"enabled": True},
    },
}


def test_the_table_lists_every_object(helm: Helm) -> None:
    """The README's table of objects lists exactly the objects that the chart can install."""
    others = {"hub": {"history": {"persistence": {"enabled": True}}}, "metrics": {"serviceMonitor": {"enabled": True}}}
    releases = [helm.render(merged(HOST, OBJECTS)), helm.render(others)]
    installed = {(each["kind"], each["metadata"]["name"]) for release in releases for each in release.objects}
    listed = set()
    for line in README.partition("| object | name |")[2].partition("\n\n")[0].splitlines()[2:]:
        kinds, names = line.strip("| ").split(" | ")[:2]
        for kind in kinds.partition(" in ")[0].split(", "):
            listed |= {(kind, name.replace("NAMESPACE", "default")) for name in re.findall(r"`([^`]+)`", names)}
    assert listed == installed
