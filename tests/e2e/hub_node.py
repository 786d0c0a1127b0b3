"""`make e2e-hub-node`: cut off the node on which the hub stands, and print how soon a hub names and notifies it.

With two replicas it is the node of the one that notifies; with one, Kubernetes has to start the hub elsewhere.
E2E_FAULTS makes the fault.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import ExitStack

import msgspec

from smoker_diagnosis.text import headline
from smoker_hub.web.views import Findings
from tests.chart.helm_binary import MAJORS, helm
from tests.e2e import faults
from tests.e2e.accuracy.lab import ASK
from tests.e2e.cluster import await_end, eventually, fresh_namespace, kubectl, nodes
from tests.e2e.hub import healthy
from tests.e2e.release import Release, loaded_images
from tests.images.command import CommandError

PATIENCE = 240.0  # seconds: Kubernetes takes about 40 to find a node dead, and the hub's tolerations are 20 more
PAUSE = 1.0  # seconds between two looks
NOTIFIES = "smoker_hub_notifies"
SENT = 'smoker_hub_notifications_total{outcome="sent",receiver="webhook"}'


class Row:
    """What is measured of one installation: seconds from the fault on."""

    def __init__(self, replicas: int) -> None:
        self.replicas = replicas
        self.opened: float | None = None
        self.sent: float | None = None
        self.said = ""

    def __str__(self) -> str:
        times = (f"{each:.0f} s" if each is not None else "not in time" for each in (self.opened, self.sent))
        return f"| {self.replicas} | {' | '.join(times)} | {self.said} |"


def hubs(release: Release, without: str) -> list[str]:
    """Return the hub's pods on other nodes than `without`."""
    return [
        pod["metadata"]["name"] for pod in release.pods("hub") if pod["spec"].get("nodeName", "") not in ("", without)
    ]


def measure(release: Release, replicas: int) -> Row:
    """Cut off the node of the hub that notifies, and wait until another hub has named it and sent that."""
    row = Row(replicas)
    healthy(release, 120)

    def holder() -> str:
        (name,) = (each for each in hubs(release, "") if release.metrics(each).get(NOTIFIES, 1) == 1)
        return name

    name = eventually("one hub notifies", 60, holder)
    node = next(pod["spec"]["nodeName"] for pod in release.pods("hub") if pod["metadata"]["name"] == name)
    with faults.healed():
        begun = time.monotonic()
        faults.on(node, "ip", "link", "set", "eth0", "down")
        while row.sent is None and time.monotonic() - begun < PATIENCE:
            for each in hubs(release, node):
                look(release, each, node, row, begun)
            time.sleep(PAUSE)
    return row


def look(release: Release, pod: str, node: str, row: Row, begun: float) -> None:
    """Note when this hub has the finding, and when it has sent it."""
    try:
        answer = release.namespace.kubectl("exec", pod, "--", "python3", "-c", ASK, seconds=10)
        found = [each.finding for each in msgspec.json.decode(answer, type=Findings).open]
        if any(each.scope.nodes == (node,) for each in found):
            row.opened = time.monotonic() - begun if row.opened is None else row.opened
            row.said = "<br>".join(map(headline, found))
        if row.opened is not None and release.metrics(pod).get(SENT, 0) > 0:
            row.sent = time.monotonic() - begun
    except CommandError:
        return  # the pod starts, or ends


def main() -> int:
    """Return 0 where each installation named and notified the node."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicas", default="2,1")
    parser.add_argument("--values", default="{}", help="values for the chart, as a JSON object of dotted paths")
    chosen = parser.parse_args()
    images = loaded_images()
    rows = []
    control = min(nodes())  # the API server stands there
    for replicas in map(int, chosen.replicas.split(",")):
        with ExitStack() as stack:
            namespace = stack.enter_context(fresh_namespace(level="privileged"))
            kubectl("cordon", control)
            stack.callback(kubectl, "uncordon", control)
            own = {
                "hub.replicas": replicas,
                "hub.notify": [{"type": "webhook", "url": "http://smoker-server:8082/"}],
                "httpEcho.replicas": 2,  # takes the messages, also from the nodes that are left
                "hostNetwork.enabled": True,
            }
            release = Release("smoker", namespace, helm(MAJORS[0]), {**own, **images, **json.loads(chosen.values)})
            release.install()
            rows.append(measure(release, replicas))
            print(rows[-1], file=sys.stderr, flush=True)
        await_end()
    print("| replicas | open after | notified after | what the hub says |\n|---|---|---|---|")
    print("\n".join(map(str, rows)))
    return 0 if all(row.sent is not None for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
