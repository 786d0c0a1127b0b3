"""bin/kubectl-smoker with a real hub's API, through a stand-in for kubectl."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import gevent
import msgspec
import pytest

from smoker_common.listen import tcp_listener
from smoker_hub.hub import Hub
from smoker_hub.web import api
from smoker_hub.web.auth import Guard
from smoker_hub.web.sources import Sources
from smoker_hub.web.stream import Stream
from tests.conftest import BIN, PATIENCE, eventually
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub.stand_ins import HOST, ManualClock, Prober, hub_of

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "bin" / "kubectl-smoker"
SHELLS = [path for name in ("dash", "bash", "busybox", "sh") if (path := shutil.which(name))]
HEALTHY, CUT_OFF = (), ("node-2",)


def states(*names: str) -> Any:
    return Cluster(nodes(5)).fail(lambda link: any(link.touches(name) for name in names)).states()


@dataclass
class Stage:
    """A hub that listens, its probers, and the script."""

    hub: Hub
    probers: list[Prober]
    folder: Path
    url: str
    env: dict[str, str] = field(default_factory=dict)

    def become(self, *names: str, looks: int = 3) -> None:
        """Make `names` dead, and let the hub look."""
        found = {(state.node, state.network): state for state in states(*names)}
        for prober in self.probers:
            prober.state = found[prober.state.node, prober.state.network]
        for _ in range(looks):
            self.hub.look()

    def environ(self, changed: Mapping[str, str]) -> dict[str, str]:
        own = {"HUB": self.url, "SERVICES": "net lungs-hub;", "CALLS": str(self.folder / "calls")}
        path = f"{Path(__file__).parent}:{os.environ['PATH']}"
        return {**os.environ, **own, "PATH": path, **self.env, **changed}

    def run(self, *arguments: str, shell: str = "", **changed: str) -> subprocess.CompletedProcess[str]:
        """Run the script."""
        command = [*([shell, "sh"] if shell.endswith("busybox") else [shell] if shell else []), str(SCRIPT), *arguments]
        return subprocess.run(
            command,
            env=self.environ(changed),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A healthy mesh of five nodes."""
    probers = [Prober(state) for state in states()]
    hub = hub_of(probers, ManualClock())
    hub.look()
    stream = Stream(hub)
    hub.follow(stream.tell, stream.look)
    listener = tcp_listener(HOST, 0)
    server = api.Server(listener, Sources(hub=hub, stream=stream))
    server.start()
    yield Stage(hub, probers, tmp_path, f"http://{HOST}:{listener.getsockname()[1]}")
    server.close()
    server.drain(0.0)
    for prober in probers:
        prober.server.stop(timeout=0)


@pytest.mark.parametrize("shell", SHELLS)
def test_status_and_its_exit_codes(stage: Stage, shell: str) -> None:
    """The exit code is 0 with HEALTHY, 1 with a fault, 2 if the hub is cut off, in dash, bash and BusyBox."""
    well = stage.run("status", shell=shell)
    assert (well.returncode, well.stderr) == (0, "")
    assert well.stdout.startswith("HEALTHY ")
    stage.become(*CUT_OFF)
    ill = stage.run("status", shell=shell)
    assert (ill.returncode, ill.stdout.count("\n")) == (1, 1)
    for prober in stage.probers:
        prober.raw = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"
    stage.hub.look()
    blind = stage.run("status", shell=shell)
    assert blind.returncode == 2
    assert blind.stdout.startswith("BLIND ")


def test_what_each_command_prints(stage: Stage) -> None:
    """Each command prints the hub's own text and JSON, and ends with 1 while something is at fault."""
    stage.become(*CUT_OFF)
    found = {
        command: stage.run(*command.split())
        for command in ("findings", "nodes", "matrix", "matrix zone", "findings -o json", "matrix --output=json")
    }
    assert {(one.returncode, one.stderr) for one in found.values()} == {(1, "")}
    assert found["findings"].stdout.startswith("FAULT node-2: ")
    assert "\n  next: kubectl " in found["findings"].stdout
    assert found["nodes"].stdout.split()[:2] == ["NODE", "ZONE"]
    assert "node-5" in found["matrix"].stdout
    assert json.loads(found["findings -o json"].stdout)["open"][0]["place"] == "node-2"
    assert json.loads(found["matrix --output=json"].stdout)["names"] == nodes(5)
    assert stage.calls[-1][:2] != ["get", "services"]


def test_one_finding_open_and_closed(stage: Stage) -> None:
    """`finding ID` prints that finding alone, and the moment of its end once it has closed."""
    stage.become(*CUT_OFF)
    (found,) = json.loads(stage.run("findings", "-o", "json").stdout)["open"]
    said = stage.run("finding", found["id"])
    assert (said.returncode, said.stderr) == (1, "")
    assert said.stdout.startswith("FAULT node-2: ")
    assert said.stdout.splitlines()[0].endswith(f"  id={found['id']}")
    assert "\n  next: kubectl " in said.stdout
    assert " closed " not in said.stdout
    assert json.loads(stage.run("finding", found["id"], "-o", "json").stdout)["id"] == found["id"]
    stage.become(looks=4)
    over = stage.run("finding", found["id"])
    assert (over.returncode, over.stderr) == (0, "")
    assert re.search(r"^FAULT node-2: .*  since [\d :-]+Z  closed [\d :-]+Z  id=", over.stdout)


def test_a_finding_that_does_not_exist(stage: Stage) -> None:
    """An id that the hub does not know, none, or two are one sentence with exit code 2; the id is encoded."""
    unknown = stage.run("finding", "1f2a/..")
    assert (unknown.returncode, unknown.stdout, unknown.stderr.count("\n")) == (2, "", 1)
    assert "there is nothing of that name" in unknown.stderr
    assert stage.calls[-1][-1].endswith("/findings/%31%66%32%61%2f%2e%2e?format=text")
    for arguments in (("finding",), ("finding", "1f2a", "77aa")):
        said = stage.run(*arguments)
        assert (said.returncode, said.stdout) == (2, "")
        assert (
            said.stderr == "kubectl smoker: finding needs one id: kubectl smoker findings shows those of all findings\n"
        )
    assert stage.run("finding", "1f2a", "-o", "junit").stderr == "kubectl smoker: finding has no form junit\n"


def test_a_path_has_a_verdict_of_its_own(stage: Stage) -> None:
    """The exit code is 0 if every path from A to B works, 1 if one fails, 2 if there is none; names are encoded."""
    stage.become(*CUT_OFF)
    assert stage.run("path", "node-1", "node-3").returncode == 0
    failing = stage.run("path", "node-1", "node-2")
    assert failing.returncode == 1
    assert failing.stdout.split("\n")[1].split()[:2] == ["node-1", "node-2"]
    assert json.loads(stage.run("path", "node-1", "node-2", "-o", "json").stdout)["paths"][0]["state"] == "f"
    nobody = stage.run("path", "node-1", "a&b c")
    assert (nobody.returncode, nobody.stdout) == (2, "")
    assert "no prober on node-1 probes a&b c" in nobody.stderr
    assert stage.calls[-1][-1].endswith("/paths?from=%6e%6f%64%65%2d%31&to=%61%26%62%20%63")


@pytest.mark.parametrize(
    ("letter", "changed"), [("u", {"last": ""}), ("s", {"at": -1000.0})], ids=["no result", "an old result"]
)
def test_a_path_without_a_recent_result_has_no_verdict(stage: Stage, letter: str, changed: dict[str, Any]) -> None:
    """The exit code is 2 where no path fails and one has no recent result, and 1 where another fails."""
    node_1 = next(each for each in stage.probers if (each.state.node, each.state.network) == ("node-1", "pod"))
    paths = [msgspec.structs.replace(each, **changed) if each.probe == "tcp" else each for each in node_1.state.paths]
    node_1.state = msgspec.structs.replace(node_1.state, paths=paths)
    stage.hub.look()
    unknown = stage.run("path", "node-1", "node-3", "-o", "json")
    assert {each["state"] for each in json.loads(unknown.stdout)["paths"]} == {letter, "o"}
    assert (unknown.returncode, unknown.stderr.count("\n")) == (2, 1)
    assert "no path from node-1 to node-3 fails, but some have no result yet" in unknown.stderr
    paths = [msgspec.structs.replace(each, last="timeout") if each.probe == "udp" else each for each in paths]
    node_1.state = msgspec.structs.replace(node_1.state, paths=paths)
    stage.hub.look()
    assert stage.run("path", "node-1", "node-3").returncode == 1


def test_junit(stage: Stage) -> None:
    """A suite passes in health, and has a failed case for each finding."""
    well = ET.fromstring(stage.run("status", "-o", "junit").stdout)
    assert {(suite.get("failures"), suite.get("errors")) for suite in well.iter("testsuite")} == {("0", "0")}
    stage.become(*CUT_OFF)
    said = stage.run("findings", "-o", "junit")
    assert said.returncode == 1
    (failure,) = ET.fromstring(said.stdout).iter("failure")
    assert (failure.get("message") or "").startswith("FAULT node-2: ")
    assert "next: kubectl " in (failure.text or "")


REFUSALS = {
    "no cluster": (
        "get services=The connection to the server localhost:8080 was refused",
        "the cluster does not answer",
    ),
    "no route": ("get services=Unable to connect to the server: dial tcp: i/o timeout", "the cluster does not answer"),
    "not logged in": ("get services=error: You must be logged in to the server (Unauthorized)", "log in again"),
    "a token": (
        "raw=error: You must be logged in to the server (Unauthorized)",
        "the hub wants a login (hub.auth): give --secret NAME",
    ),
    "no proxy": (
        (
            'raw=Error from server (Forbidden): services "lungs-hub:http" is forbidden: User "u" cannot get resource '
            '"services/proxy" in API group "" in the namespace "net"'
        ),
        "get on services/proxy in namespace net",
    ),
    "no list": (
        'get services=Error from server (Forbidden): services is forbidden: User "u"',
        "--namespace and --release",
    ),
    "no pod": (
        'raw=Error from server (ServiceUnavailable): no endpoints available for service "lungs-hub:http"',
        "kubectl get pods -n net -l app.kubernetes.io/name=smoker,app.kubernetes.io/component=hub",
    ),
    "no way": (
        "raw=Error from server: error trying to reach service: dial tcp: i/o timeout",
        "the API server does not reach",
    ),
    "another version": (
        "raw=Error from server (NotFound): the server could not find the requested resource",
        "another version",
    ),
    "anything else": ("raw=first\nError from server: strange", "could not be asked: Error from server: strange"),
}


@pytest.mark.parametrize(("refusal", "words"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_missing_program_is_reported_in_a_sentence(stage: Stage, refusal: str, words: str) -> None:
    """A missing part is one line on stderr, with exit code 2 and nothing on stdout."""
    said = stage.run("findings", REFUSE=refusal)
    assert (said.returncode, said.stdout, said.stderr.count("\n")) == (2, "", 1)
    assert words in said.stderr


# What kubectl writes where an aggregated API has no pod, such as metrics-server's.
WARNING = (
    "E1129 10:00:00.000000   12345 memcache.go:287] couldn't get resource list for metrics.k8s.io/v1beta1: "
    "the server is currently unable to handle the request"
)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_warning_of_kubectl_is_no_part_of_the_answer(stage: Stage, shell: str) -> None:
    """kubectl's stderr does not get into the hub's name, the text, the JSON or the file of an export."""
    stage.env["WARNING"] = WARNING
    assert stage.run("status", "-n", "net", shell=shell).stdout.startswith("HEALTHY ")
    stage.become(*CUT_OFF)
    found = [
        stage.run(*command.split(), shell=shell) for command in ("findings -o json", "path node-1 node-2", "export f")
    ]
    assert [(one.returncode, one.stderr) for one in found] == [(1, ""), (1, ""), (0, "")]
    assert json.loads(found[0].stdout)["open"]
    assert json.loads((stage.folder / "f").read_text())["findings"]
    assert not any("memcache" in one.stdout for one in found)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_failure_after_a_warning_has_its_own_sentence(stage: Stage, shell: str) -> None:
    """The sentence is about the failure, also where kubectl has to be ended."""
    for refusal, words in (REFUSALS["no list"], REFUSALS["a token"], ("raw=hangs", "does not answer within 1 s")):
        said = stage.run("status", "--timeout", "1", shell=shell, WARNING=WARNING, REFUSE=refusal)
        assert (said.returncode, said.stdout, "memcache" in said.stderr) == (2, "", False)
        assert words in said.stderr


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("word", ["get services", "raw"])
def test_a_cluster_that_hangs_ends_with_the_time_limit(stage: Stage, word: str, shell: str) -> None:
    """The time limit ends the command whatever kubectl waits for."""
    said = stage.run("status", "--timeout", "1", shell=shell, REFUSE=f"{word}=hangs")
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith("kubectl smoker: the cluster does not answer within 1 s\n")


def test_no_hub_and_several(stage: Stage) -> None:
    """Without a hub the error names the value that installs one; several hubs are listed."""
    none = stage.run("status", SERVICES="")
    assert (none.returncode, "hub.enabled" in none.stderr) == (2, True)
    several = stage.run("status", SERVICES="net lungs-hub;test other-hub;")
    assert several.returncode == 2
    assert "net/lungs-hub test/other-hub" in several.stderr
    assert "--release" in several.stderr
    assert (
        stage.run("status", PATH="/nowhere", shell=SHELLS[0]).stderr == "kubectl smoker: kubectl is not on the PATH\n"
    )


def test_rights_to_a_namespace_alone_are_enough(stage: Stage) -> None:
    """If all namespaces may not be listed, the current one is searched. With both names none is listed."""
    forbidden = 'Error from server (Forbidden): services is forbidden: User "u" cannot list'
    assert stage.run("status", REFUSE=f"services -A={forbidden}").returncode == 0
    assert stage.run("status", "-n", "net", "-r", "lungs", REFUSE=f"get services={forbidden}").returncode == 0


def test_options_reach_kubectl(stage: Stage) -> None:
    """Cluster, namespace and release reach kubectl, each as one argument."""
    stage.run("status", "--context", "a b", "--kubeconfig=/x y", "-n", "net", "--release", "lungs")
    listing = stage.calls[0]
    assert {"--context=a b", "--kubeconfig=/x y"} <= set(listing)
    assert listing[listing.index("-n") + 1] == "net"
    assert listing[listing.index("-l") + 1].endswith(",app.kubernetes.io/instance=lungs")
    assert all("--context=a b" in call for call in stage.calls)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", "usage: "),
        ("stats", "there is no command stats"),
        ("status x", "takes no argument"),
        ("path a", "needs two nodes"),
        ("path a b c", "one argument too many"),
        ("status --nope", "no option --nope"),
        ("status -o", "needs a value"),
        ("nodes -o junit", "nodes has no form junit"),
        ("matrix rack", "by node or by zone"),
        ("status --timeout 1s", "no number of seconds"),
    ],
)
def test_usage_mistakes_are_reported_without_a_request(stage: Stage, arguments: str, words: str) -> None:
    """A mistake has exit code 2 and one sentence, and kubectl is not called."""
    said = stage.run(*arguments.split())
    assert (said.returncode, said.stdout) == (2, "")
    assert words in said.stderr
    assert not (stage.folder / "calls").exists()


def test_help_lists_every_command(stage: Stage) -> None:
    """Help lists exactly the commands and options that the script takes, with exit code 0."""
    said = stage.run("--help")
    assert said.returncode == 0
    script = SCRIPT.read_text()
    _, begin, last = script.rpartition("\ncase $command in\n")
    commands = set(re.findall(r"^  (\w+)\)", last, flags=re.MULTILINE))
    loop = script.partition("\nwhile [ $# -gt 0 ]; do\n")[2].partition("\ndone\n")[0]
    cases = re.findall(r"^ +(-[^()=*]+)\)", loop, flags=re.MULTILINE)
    options = {option for case in cases for option in case.split(" | ")}
    assert begin
    assert {"status", "open"} < commands
    assert {"-h", "-o", "--output", "--timeout", "--kubeconfig"} < options
    assert set(re.findall(r"^  ([a-z]+)", said.stdout, flags=re.MULTILINE)) == commands
    assert set(re.findall(r"(?<![\w-])--?[a-z]+", said.stdout)) == options


def followed(stage: Stage, *arguments: str) -> tuple[subprocess.Popen[str], Callable[[], str]]:
    """Start the script; return it, and what it has written so far."""
    log = stage.folder / "log"
    with log.open("w") as out:
        popen = subprocess.Popen([SCRIPT, *arguments], env=stage.environ({}), stdout=out, stderr=out, text=True)
    return popen, log.read_text


def test_watch_prints_what_opens_and_closes(stage: Stage) -> None:
    """The sentence comes first, then each fault once with its evidence, then its close.

    Earlier closes are not shown.
    """
    stage.become(*CUT_OFF)
    stage.become(looks=4)
    popen, text = followed(stage, "watch", "--interval", "1")
    try:
        eventually("the sentence is there", lambda: "HEALTHY " in text())
        stage.become("node-4")
        eventually("the fault is there", lambda: "FAULT node-4: " in text() and "  next: " in text())
        stage.become(looks=4)
        eventually("its closing is there", lambda: " node-4: " in text().partition("CLOSED ")[2])
        assert text().count("FAULT node-4") == 1
        assert "CLOSED" not in text().partition("FAULT")[0]
    finally:
        popen.terminate()
        popen.wait(PATIENCE)


def test_watch_prints_each_opening_and_closing_of_one_fault(stage: Stage) -> None:
    """The id is the same when a fault comes again; its second opening and closing are printed, too, each once."""
    clock = stage.hub.clock
    assert isinstance(clock, ManualClock)
    popen, text = followed(stage, "watch", "--interval", "1")

    def printed(words: str, count: int) -> bool:
        return text().count(words) == count

    try:
        eventually("the sentence is there", lambda: "HEALTHY " in text())
        for count in (1, 2):
            clock.instant += 120
            stage.become("node-4")
            eventually("the fault is there", partial(printed, "FAULT node-4", count))
            clock.instant += 120
            stage.become(looks=4)
            eventually("its close is there", partial(printed, "CLOSED ", count))
        calls = len(stage.calls)
        eventually("two more looks are there", lambda: len(stage.calls) > calls + 2)
        assert (text().count("FAULT node-4"), text().count("CLOSED ")) == (2, 2)
    finally:
        popen.terminate()
        popen.wait(PATIENCE)


def test_watch_prints_a_fault_that_becomes_worse(stage: Stage) -> None:
    """A warning that escalates is printed again; a fault that becomes a warning is not."""
    stage.become("node-4")
    (incident,) = stage.hub.incidents.open
    grave, mild = incident.finding, msgspec.structs.replace(incident.finding, severity="warning")
    incident.finding = mild
    popen, text = followed(stage, "watch", "--interval", "1")

    def called(count: int) -> bool:
        return len(stage.calls) > count

    try:
        eventually("the warning is there", lambda: "\nWARNING node-4: " in text())
        for finding, escalations in ((grave, 1), (mild, 1), (grave, 1)):
            incident.finding, incident.escalations = finding, escalations
            eventually("two more looks are there", partial(called, len(stage.calls) + 2))
        assert (text().count("\nWARNING node-4: "), text().count("\nFAULT node-4: ")) == (1, 1)
    finally:
        popen.terminate()
        popen.wait(PATIENCE)


FAULT = "FAULT node-3: cut off  since 2026-11-29 {}Z  id=aa11"
FLOWS = "FAULT node-3: 50 % of flows always fail  since 2026-11-29 {}Z  id=aa11"
WORSE = "FAULT node-3: cut off  since 2026-11-29 {}Z  escalations=1  id=aa11"
NOT_READY = "FAULT node-3: NotReady, and silent  since 2026-11-29 {}Z  escalations=2  id=aa11"
WARNED = "WARNING node-3: loses 25 % of its packets  since 2026-11-29 {}Z  id=aa11"
CLOSED = "No finding is open.\nCLOSED 2026-11-29 {}Z node-3: cut off  id=aa11"
LOOKS: dict[str, list[tuple[str, int]]] = {  # what each look has, and whether it is printed
    "two replicas": [
        (FAULT.format("10:00:01"), 1),
        (FAULT.format("10:00:04"), 0),
        (FAULT.format("10:00:01"), 0),
        (CLOSED.format("10:09:01"), 1),
        (CLOSED.format("10:09:03"), 0),
        (CLOSED.format("10:09:01"), 0),
    ],
    "a replica that is a look behind": [
        (FAULT.format("10:00:01"), 1),
        (CLOSED.format("10:09:01"), 1),
        (FAULT.format("10:00:04"), 0),
        (CLOSED.format("10:09:03"), 0),
        (FAULT.format("10:20:01"), 1),
        (CLOSED.format("10:09:03"), 0),
        (FAULT.format("10:20:03"), 0),
        (CLOSED.format("10:29:00"), 1),
    ],
    "milder and worse": [
        (WARNED.format("10:00:01"), 1),
        (WORSE.format("10:00:01"), 1),
        (WARNED.format("10:00:01"), 0),
        (WORSE.format("10:00:01"), 0),
        (NOT_READY.format("10:00:01"), 1),
        (WORSE.format("10:00:01"), 0),
        (CLOSED.format("10:09:01"), 1),
        (WARNED.format("10:20:01"), 1),
        (WORSE.format("10:20:01"), 1),
    ],
    "everything fails where some flows did": [
        (FLOWS.format("10:00:01"), 1),
        (WORSE.format("10:00:01"), 1),
        (FLOWS.format("10:00:04"), 0),
        (WORSE.format("10:00:04"), 0),
    ],
    "closed before the first look": [(CLOSED.format("09:00:00"), 0), (FAULT.format("10:00:01"), 1)],
    "open again beside its earlier close": [
        (FAULT.format("10:00:01") + "\n" + CLOSED.format("09:00:00"), 1),
        (FAULT.format("10:00:01") + "\n" + CLOSED.format("09:00:00"), 0),
    ],
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("looks", LOOKS.values(), ids=LOOKS.keys())
def test_watch_prints_each_change_once_whichever_replica_answers(looks: list[tuple[str, int]], shell: str) -> None:
    """Of two replicas' texts a finding is printed when it opens, becomes worse than printed, or closes, once each."""
    _, begin, rest = SCRIPT.read_text().partition("\nprint_news() {\n")
    function = begin + rest.partition("\n}\n")[0] + "\n}\n"
    program = function + "known=\nfor found; do printf '%s\\n' look; print_news; done"
    command = [
        shell,
        *(["sh"] if shell.endswith("busybox") else []),
        "-euc",
        program,
        "sh",
        *(text for text, _ in looks),
    ]
    said = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (said.returncode, said.stderr) == (0, "")
    printed = [part.count("node-3") for part in said.stdout.split("look\n")[1:]]
    assert printed == [count for _, count in looks]


def test_watch_as_json_is_the_stream(stage: Stage) -> None:
    """Each event's data is a line."""
    popen, text = followed(stage, "watch", "-o", "json")
    try:
        eventually("the first event is there", lambda: text().count("\n"))
        assert json.loads(text().splitlines()[0])["summary"]["state"] == "healthy"
        stage.become(*CUT_OFF)
        eventually("the finding is there", lambda: '"event":"open"' in text())
        assert all(json.loads(line) for line in text().splitlines()[:-1])
    finally:
        popen.terminate()
        for _ in range(3):  # the stand-in ends when it next writes
            stage.hub.look()
            gevent.sleep(0)
        popen.wait(PATIENCE)


def test_export_leaves_a_file_or_none(stage: Stage) -> None:
    """The export has the given name or one with the date. A failed export leaves no file."""
    assert stage.run("export", "mine.json").stdout == "mine.json\n"
    assert "findings" in json.loads((stage.folder / "mine.json").read_text())
    named = stage.run("export")
    assert (named.returncode, named.stderr) == (0, "")
    assert json.loads((stage.folder / named.stdout.strip()).read_text())
    said = stage.run("export", "bug.json", REFUSE="raw=Error from server (Forbidden): forbidden")
    assert (said.returncode, (stage.folder / "bug.json").exists()) == (2, False)


def test_open_prints_the_address(stage: Stage) -> None:
    """The address with kubectl's port is printed once, and the end of the forwarding is reported."""
    said = stage.run("open")
    assert said.stdout == "http://localhost:41234/\n"
    assert (said.returncode, said.stderr) == (2, "kubectl smoker: the forwarding has ended\n")
    assert "service/lungs-hub" in stage.calls[-1]


def test_it_is_clean_for_shellcheck() -> None:
    """shellcheck finds nothing, and nothing beyond POSIX."""
    said = subprocess.run(
        [BIN / "shellcheck", "--shell=sh", SCRIPT], capture_output=True, text=True, timeout=60, check=False
    )
    assert (said.returncode, said.stdout) == (0, "")


TOKEN, USER, PASSWORD = 't0k"en\\$x', "ops", 'pa"ss w:ord'


@pytest.fixture
def guarded(stage: Stage) -> Iterator[Stage]:
    """The same hub with a login."""
    folder = stage.folder / "auth"
    folder.mkdir()
    for name, text in (("token", TOKEN), ("username", USER), ("password", PASSWORD)):
        (folder / name).write_text(text + "\n")
    listener = tcp_listener(HOST, 0)
    server = api.Server(listener, Sources(hub=stage.hub, stream=Stream(stage.hub), guard=Guard(folder)))
    server.start()
    stage.env["FORWARD"] = str(listener.getsockname()[1])
    stage.env["TMPDIR"] = str(stage.folder)
    yield stage
    server.close()
    server.drain(0.0)


SECRETS = json.dumps({"a": {"token": TOKEN}, "b": {"username": USER, "password": PASSWORD}, "old": {"token": "x"}})
LOGINS: dict[str, tuple[dict[str, str], list[str]]] = {
    "a token": ({"SMOKER_TOKEN": TOKEN}, []),
    "a user": ({"SMOKER_USERNAME": USER, "SMOKER_PASSWORD": PASSWORD}, []),
    "a Secret with a token": ({"SECRET": SECRETS}, ["--secret", "a"]),
    "a Secret with a user": ({"SECRET": SECRETS}, ["--secret=b"]),
    "a Secret before the environment": ({"SECRET": SECRETS, "SMOKER_TOKEN": "x"}, ["--secret=b"]),
}


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("shell", SHELLS)
def test_the_login_is_sent_and_never_shown(guarded: Stage, shell: str, login: str) -> None:
    """The login of the environment or of the Secret is sent. No process or file shows it, and nothing is left."""
    changed, options = LOGINS[login]
    said = guarded.run("status", *options, shell=shell, **changed)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith("HEALTHY ")
    assert all(secret not in json.dumps(call) for call in guarded.calls for secret in (TOKEN, PASSWORD))
    assert not any("--raw" in call for call in guarded.calls)
    assert {path.name for path in guarded.folder.iterdir()} == {"auth", "calls"}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_warning_of_kubectl_is_no_part_of_the_login(guarded: Stage, shell: str) -> None:
    """What kubectl writes to stderr beside a Secret gets into no user name."""
    said = guarded.run("status", "--secret", "b", shell=shell, SECRET=SECRETS, WARNING=WARNING)
    assert (said.returncode, said.stderr) == (0, "")


def test_every_command_logs_in(guarded: Stage) -> None:
    """With a login the exit codes are the same; the export and the stream need the login, too."""
    guarded.env["SMOKER_TOKEN"] = TOKEN
    guarded.become(*CUT_OFF)
    for command in ("findings", "nodes", "matrix", "findings -o junit"):
        said = guarded.run(*command.split())
        assert (said.returncode, said.stderr) == (1, ""), command
    assert guarded.run("path", "node-1", "node-3").returncode == 0
    assert guarded.run("export", "all.json").returncode == 0
    assert json.loads((guarded.folder / "all.json").read_text())["summary"]["state"] == "faults"
    popen, text = followed(guarded, "watch", "-o", "json")
    try:
        eventually("the snapshot is there", lambda: '"headline":"FAULT node-2' in text())
    finally:
        popen.terminate()
        popen.wait(PATIENCE)


@pytest.mark.parametrize(
    ("changed", "options", "told"),
    [
        ({"SMOKER_TOKEN": "wrong"}, [], "the hub does not accept this login"),
        ({"SECRET": SECRETS}, ["--secret", "old"], "the hub does not accept this login"),
        ({"SECRET": SECRETS}, ["--secret", "c"], "the Secret c in namespace net cannot be read: Error from server"),
        ({"SMOKER_TOKEN": TOKEN, "REFUSE": "port-forward=error: unable to forward"}, [], "no port can be forwarded to"),
    ],
)
def test_a_login_that_fails(guarded: Stage, changed: dict[str, str], options: list[str], told: str) -> None:
    """A failed login has exit code 2 and one sentence with the reason."""
    said = guarded.run("status", *options, **changed)
    assert (said.returncode, said.stdout, said.stderr.count("\n")) == (2, "", 1), said
    assert told in said.stderr
