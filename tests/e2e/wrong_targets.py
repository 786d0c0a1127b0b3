"""Further targets of several kinds for a release: some work, and some fail, each for a reason of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from smoker_prober.config.api_server import CA
from tests.e2e import faults
from tests.e2e.cluster import addresses
from tests.prober.probes.pki import Authority, s_server

Target = Mapping[str, Any]  # a value of `prober.targets`
ECHO = "smoker-server:8082"
API: Target = {"probe": "tls", "host": "kubernetes.default.svc"}

GOOD: Mapping[str, Target] = {
    "page": {"url": f"http://{ECHO}/", "http": {"expect": {"status": "200", "body": "^OK$"}}},
    "chat": {"url": f"ws://{ECHO}/ws", "websocket": {"message": "text"}},
    "api": {**API, "tls": {"ca": CA}},
}


class Wrong(NamedTuple):
    """A target that fails: its possible outcomes, the beginning of its cause, and what mends it (None: it leaves)."""

    target: Target
    outcomes: Collection[str]
    cause: str
    mended: Target | None = None


WRONG = {
    "page-status": Wrong(
        {"url": f"http://{ECHO}/", "http": {"expect": {"status": "404"}}},
        ("bad_reply",),
        "transfer: status 200 for GET /, expected 404",
        {"url": f"http://{ECHO}/", "http": {"expect": {"status": "200"}}},
    ),
    "page-body": Wrong(
        {"url": f"http://{ECHO}/", "http": {"expect": {"body": "^closed$"}}},
        ("bad_reply",),
        "transfer: the body does not match '^closed$'",
        {"url": f"http://{ECHO}/", "http": {"expect": {"body": "^OK$"}}},
    ),
    "chat-path": Wrong(
        {"url": f"ws://{ECHO}/"},
        ("bad_reply",),
        "wait: status 200 instead of 101 for a WebSocket at /",
        {"url": f"ws://{ECHO}/ws"},
    ),
    "api-name": Wrong(
        {**API, "tls": {"ca": CA, "serverName": "shop.example"}},
        ("tls_error",),
        "tls: certificate not trusted: Hostname mismatch, certificate is not valid for 'shop.example'.",
        {**API, "tls": {"ca": CA, "serverName": "kubernetes"}},
    ),
}


@contextmanager
def expired(node: str, folder: Path) -> Iterator[Wrong]:
    """Run `openssl s_server` on a node during the block. Its certificate expired, and its CA is unknown."""
    address = next(each for each in addresses(node) if ":" not in each)
    certificate = Authority(folder / "ca").issue("shop", san=f"IP:{address}", days=-1)
    with s_server(certificate, host=address, inside=faults.inside(node)) as port:
        yield Wrong(
            {"url": f"tls://{address}:{port}"},
            ("tls_error",),
            "tls: certificate not trusted: unable to get local issuer certificate",
        )


def unused(pod: str) -> Wrong:
    """Return a target at an address beside that of a pod, which no pod has: packets end at the last node before it."""
    return Wrong(
        {"url": f"tcp://{pod.rpartition('.')[0]}.250:80", "interval": "1s"}, ("timeout", "unreachable"), "connect: "
    )
