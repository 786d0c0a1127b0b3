"""Two probers with real routers between them: the last hop that answers is in the state, and in what `once` prints.

So are the hops behind it that answered while the path worked.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from smoker_diagnosis.state import State, decode
from tests.conftest import eventually
from tests.netns import CHAINED, Chain, chain

ADMIN = "9464"
PORTS = {"PEER_TCP_PORT": "18080", "PEER_UDP_PORT": "18081", "PEER_HTTP_PORT": "18082", "PEER_STAMP_PORT": "18062"}
QUICK = {"TEST_INTERVAL": "1", "TEST_TIMEOUT": "0.5", "PROBES": "udp", "UDP_PACKETS": "0", "MTU_INTERVAL": "0"}
QUICK["LOG_LEVEL"] = "DEBUG"
NEAR, BROKEN, FAR = 0, 2, 3  # namespaces: two ends, and the router that drops
PATIENCE = 60.0  # seconds


@contextlib.contextmanager
def prober(made: Chain, place: int, folder: Path, node: str, peer: str) -> Iterator[None]:
    """Run a prober in a namespace."""
    environ = {**os.environ, **PORTS, **QUICK, "SERVER_HOST": "127.0.0.1", "NODE_NAME": node, "PEERS": peer}
    command = ["ip", "netns", "exec", made.names[place], sys.executable, "-m", "smoker_prober", "run"]
    with (folder / f"{node}.log").open("w") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.terminate()
            process.wait(PATIENCE)


def state(made: Chain) -> State | None:
    """Return the state of the near prober; None before it answers."""
    read = "import sys, urllib.request as r; sys.stdout.write(r.urlopen(sys.argv[1]).read().decode())"
    done = made.run(NEAR, sys.executable, "-c", read, f"http://127.0.0.1:{ADMIN}/api/v1/state")
    return decode(done.stdout.encode()) if done.returncode == 0 else None


def to_peer(made: Chain) -> list[tuple[str, str]]:
    """Return the last outcome of each path to the peer, and the last hop of its trace."""
    found = state(made)
    paths = [path for path in found.paths if path.role == "peer"] if found is not None else []
    return [(path.last, path.traced.address if path.traced is not None else "") for path in paths]


@CHAINED
def test_a_finding_names_the_last_hop_that_answers(tmp_path: Path) -> None:
    """While the path works its state has no trace. A router that drops datagrams is the last hop in the evidence."""
    with chain(4) as made:
        router = made.address(BROKEN, six=True)
        one, two = (f"[{each}]:{ADMIN}" for each in ("fd00:213:1::1", made.address(FAR, six=True)))
        with (
            prober(made, NEAR, tmp_path, "node-1", f"node-2={two}"),
            prober(made, FAR, tmp_path, "node-2", f"node-1={one}"),
        ):
            eventually("the path works", lambda: to_peer(made) == [("success", "")])
            log = tmp_path / "node-1.log"
            eventually("its hops are known", lambda: "a path that works was traced" in log.read_text())
            made.must(BROKEN, "ip6tables", "-A", "FORWARD", "-p", "udp", "-j", "DROP")
            eventually("a trace follows", lambda: to_peer(made) == [("timeout", router)])
            ask = [sys.executable, "-m", "smoker_prober", "once", "--mesh", two, "--mesh", f"127.0.0.1:{ADMIN}"]
            said = made.run(NEAR, "env", "SERVER_HOST=127.0.0.1", "PROBES=udp", *ask).stdout
    far = made.address(FAR, six=True)
    end = f"hop 2 from node-1 to node-2; when that path worked, {far} came next"
    assert f"evidence: last hop that answers: {router}, {end}" in said
    assert "[TRACE] FAILED error=timeout hop=2" in log.read_text()
