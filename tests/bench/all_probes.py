"""Measure what all kinds of probes together cost: two probers at the same time, one with the echo services alone.

python -m tests.bench.all_probes [--rounds 3] [--interval 30]

The servers are those of the tests: unbound, nginx, grpcio's health server, and the HTTP echo's WebSocket.
"""

from gevent import monkey

monkey.patch_all()

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.prober.probes.name_server import NAME, UNBOUND, unbound
from tests.prober.probes.pki import Authority
from tests.prober.probes.test_nginx import NGINX, nginx_in

from . import table
from .build import BenchError
from .scale import cpu, echoes, get
from .server import Server, free_port, launched, ready_by_http

HEALTH_SERVER = Path(__file__).resolve().parents[1] / "prober" / "probes" / "health_server.py"
HEADER = ("prober", "kinds of probes", "results", "CPU thousandths", "of echoes alone", "own MiB", "RSS MiB")
RESULTS = re.compile(r'^smoker_probe_total\{.*outcome="(\w+)".*probe="(\w+)".*\} (\d+)', re.MULTILINE)


@contextlib.contextmanager
def health(certificate: Path) -> Iterator[int]:
    """Run a gRPC server with TLS; yield its port."""
    with subprocess.Popen([sys.executable, str(HEALTH_SERVER), str(certificate)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().split()[0])
        finally:
            process.kill()


@contextlib.contextmanager
def targets(folder: Path, http_port: str) -> Iterator[list[dict[str, Any]]]:
    """Run the servers; yield a target of each kind, two of the DNS and of pages."""
    if UNBOUND is None or NGINX is None:
        raise BenchError("The bench of all probes needs unbound and nginx (make programs).")
    authority = Authority(folder / "authority")
    certificate, ca = authority.issue("bench"), str(authority.file)
    (folder / "plain").mkdir()
    (folder / "secure").mkdir()
    with contextlib.ExitStack() as servers:
        plain = servers.enter_context(unbound(UNBOUND, folder / "plain"))
        secure = servers.enter_context(unbound(UNBOUND, folder / "secure", certificate))
        nginx = servers.enter_context(nginx_in(folder))
        grpc = servers.enter_context(health(certificate))
        asked = {"name": NAME, "type": ["A", "AAAA"]}
        over_tls = {"tls": True, "version": "2", "ca": nginx.ca}
        yield [
            {"name": "names", "probe": "dns", "port": plain, "dns": asked},
            {"name": "names-tls", "probe": "dns", "port": secure, "dns": asked | {"transport": "tls", "ca": ca}},
            {"name": "page", "probe": "http", "port": nginx.ports.plain},
            {"name": "page-2", "probe": "http", "port": nginx.ports.second, "http": over_tls},
            {"name": "certificate", "probe": "tls", "port": secure, "tls": {"ca": ca}},
            {"name": "health", "probe": "grpc", "port": grpc, "grpc": {"tls": True, "ca": ca, "service": "shop"}},
            {"name": "chat", "probe": "websocket", "port": int(http_port), "websocket": {"path": "/ws"}},
            {"name": "open", "probe": "connect", "port": grpc},
        ]


@contextlib.contextmanager
def prober(name: str, extra: dict[str, str], logs: Path) -> Iterator[Server]:
    """Run a prober."""
    admin = free_port()
    extra = extra | {"ADMIN_PORT": str(admin), "LISTEN_ADDRESS": "127.0.0.1", "SERVER_HOST": "127.0.0.1"}
    extra |= {"NODE_NAME": name}
    command = [str(Path(sys.executable).with_name("smoker-prober")), "run"]
    core = min(os.sched_getaffinity(0))
    with launched(name, command, extra, core, logs, admin, ready_by_http(admin)) as running:
        running.wait_ready()
        yield running


def results(server: Server) -> dict[tuple[str, str], int]:
    """Return the number of results so far by probe and outcome."""
    found: dict[tuple[str, str], int] = {}
    for outcome, probe, count in RESULTS.findall(get(server.port, "/metrics")):
        found[probe, outcome] = found.get((probe, outcome), 0) + int(count)
    return found


def measure(interval: int, rounds: int, folder: Path) -> str:
    """Return the table."""
    core = max(os.sched_getaffinity(0))
    with contextlib.ExitStack() as stack:
        ports, _servers = stack.enter_context(echoes(folder, core))
        every = ports | {"TEST_INTERVAL": str(interval)}
        plan = folder / "plan.json"
        entries = stack.enter_context(targets(folder, ports["HTTP_PORT"]))
        plan.write_text(json.dumps({"targets": [each | {"host": "127.0.0.1"} for each in entries]}))
        alone = stack.enter_context(prober("echoes", every, folder))
        all_ = stack.enter_context(prober("all", every | {"CONFIG_FILE": str(plan)}, folder))
        time.sleep(interval + 1)  # the first round of each has imported everything
        probers = (alone, all_)
        begun, before = [cpu(each) for each in probers], [results(each) for each in probers]
        start = time.monotonic()
        time.sleep(interval * rounds)
        shares = [(cpu(each) - was) / (time.monotonic() - start) for each, was in zip(probers, begun, strict=True)]
        rows = []
        for each, was, share in zip(probers, before, shares, strict=True):
            found, memory = results(each), each.memory()
            bad = {key: count for key, count in found.items() if key[1] != "success" and count}
            if bad:
                raise BenchError(f"{each.name}: {bad}: {each.last_line()}")
            kinds = sorted({probe for probe, _outcome in found})
            count = str(sum(found.values()) - sum(was.values()))
            cells = [count, f"{1000 * share:.1f}", f"{share / shares[0]:.2f}x", table.mib(memory.own)]
            rows.append([each.name, " ".join(kinds), *cells, table.mib(memory.rss)])
    return table.render(f"All kinds of probes, a round every {interval} s", HEADER, rows)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure what all kinds of probes cost; loopback only.")
    parser.add_argument("--rounds", type=int, default=3, help="that are measured (%(default)s)")
    parser.add_argument("--interval", type=int, default=30, help="seconds (%(default)s)")
    asked = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            print(measure(asked.interval, asked.rounds, Path(folder)))
    except BenchError as why:
        print(f"broken: {why}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
