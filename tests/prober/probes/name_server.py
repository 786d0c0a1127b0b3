"""DNS servers on loopback: one that answers as a test says, with messages that dnspython makes, and unbound."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from smoker_prober.probes import dns_options, run
from smoker_prober.result import Result
from smoker_prober.target import Path as PathTo
from smoker_prober.target import Target
from tests.conftest import eventually, free_port
from tests.prober.targets import HOST, NODE, PLENTY, Client, hearing, listening

NAME = "web.example."
UNBOUND = shutil.which("unbound", path="/usr/sbin:/usr/local/sbin:/usr/bin")
RECORDS = {"A": ["10.0.0.1", "10.0.0.2"], "AAAA": ["fd00::1"]}

Answer = Callable[[dns.message.Message], "bytes | None"]


class Asked(NamedTuple):
    """What a server was asked: the type of each query, by transport, in order."""

    udp: list[str]
    tcp: list[str]


def answer(query: dns.message.Message, *, rcode: str = "NOERROR", ttl: int = 30, cut: bool = False) -> bytes:
    """Return the answer of a server that knows `RECORDS` of `NAME`."""
    made = dns.message.make_response(query)
    made.set_rcode(dns.rcode.from_text(rcode))
    kind = dns.rdatatype.to_text(query.question[0].rdtype)
    if cut:
        made.flags |= dns.flags.TC
    elif rcode == "NOERROR" and kind in RECORDS:
        made.answer.append(dns.rrset.from_text(query.question[0].name, ttl, "IN", kind, *RECORDS[kind]))
    return made.to_wire()


@contextlib.contextmanager
def serving(udp: Answer = answer, tcp: Answer = answer) -> Iterator[tuple[int, Asked]]:
    """A server whose answers `udp` and `tcp` make, None for silence; its port, and what it was asked."""
    asked = Asked([], [])

    def over_udp(sock: socket.socket, data: bytes, client: Client) -> None:
        query = dns.message.from_wire(data)
        asked.udp.append(dns.rdatatype.to_text(query.question[0].rdtype))
        reply = udp(query)
        if reply is not None:
            sock.sendto(reply, client)

    def over_tcp(sock: socket.socket) -> None:
        stream = sock.makefile("rb")
        while head := stream.read(2):
            query = dns.message.from_wire(stream.read(int.from_bytes(head)))
            asked.tcp.append(dns.rdatatype.to_text(query.question[0].rdtype))
            reply = tcp(query)
            if reply is None:
                return
            sock.sendall(len(reply).to_bytes(2) + reply)

    for _ in range(64):  # the same number, free for both transports
        with contextlib.ExitStack() as servers:
            port = servers.enter_context(listening(over_tcp))
            try:
                servers.enter_context(hearing(over_udp, port=port))
            except OSError:
                continue
            yield port, asked
            return
    raise RuntimeError("no port is free for both transports")


def look_up(port: int, *, timeout: float = PLENTY, host: str = HOST, **options: object) -> Result:
    """Probe once, with these options."""
    made = dns_options.Options(**{"name": NAME, **options})  # type: ignore[arg-type]
    target = Target("dns", host, port, PathTo("external", "ns", "other"), made)
    return run(target, NODE, timeout)


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return not sock.connect_ex((HOST, port))


@contextlib.contextmanager
def unbound(program: str, folder: Path, certificate: Path | None = None) -> Iterator[int]:
    """The server of that name, which knows `RECORDS` of `NAME` and asks nobody else; its port.

    With a certificate the port is for DNS over TLS.
    """
    port = free_port()
    data = [f'  local-data: "{NAME} 30 IN {kind} {each}"' for kind, texts in RECORDS.items() for each in texts]
    secure = []
    if certificate is not None:
        secure = [f"  tls-port: {port}", f'  tls-service-key: "{certificate}"', f'  tls-service-pem: "{certificate}"']
    lines = [
        "server:",
        f'  directory: "{folder}"',
        '  chroot: ""',
        '  username: ""',
        '  pidfile: ""',
        "  do-daemonize: no",
        "  use-syslog: no",
        f"  interface: {HOST}",
        f"  port: {port}",
        '  module-config: "iterator"',
        *secure,
        '  local-zone: "example." static',
        *data,
        "remote-control:",
        "  control-enable: no",
    ]
    (folder / "unbound.conf").write_text("\n".join([*lines, ""]))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "-d", "-c", folder / "unbound.conf"], stdout=log, stderr=log)
    try:
        eventually("unbound answers", lambda: _listens(port))
        yield port
    finally:
        process.kill()
        process.wait()
