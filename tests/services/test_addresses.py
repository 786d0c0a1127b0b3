"""Services that listen on several given addresses, and on no other."""

from __future__ import annotations

import socket

import pytest

from tests.conftest import PATIENCE, Start, free_port
from tests.metrics_page import values

BOTH = "127.0.0.1,::1"
OTHER = "127.0.0.5"  # an address of this host that is not listened on
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
PACKET = bytes(44)  # what an echo gives back and a reflector answers


def answers(kind: socket.SocketKind, host: str, port: int) -> bool:
    """Return whether something answers at an address."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as sock:
        sock.settimeout(10)
        try:
            sock.connect((host, port))
            sock.send(REQUEST if kind == socket.SOCK_STREAM else PACKET)
            return bool(sock.recv(4096))
        except ConnectionRefusedError:
            return False


@pytest.mark.parametrize("program", ["tcp", "udp", "http"])
def test_an_echo_on_two_addresses(start: Start, program: str) -> None:
    """Both addresses are served, a third is not, and so is the admin port. Their counts are added up."""
    variable = f"{program.upper()}_PORT"
    stamp = {"STAMP_PORT": 0} if program == "udp" else {}
    process = start(f"smoker-{program}-echo", **{variable: 0}, **stamp, LISTEN_ADDRESS=BOTH)
    kind = socket.SOCK_DGRAM if program == "udp" else socket.SOCK_STREAM
    for name, port in process.ports.items():
        of_port = socket.SOCK_STREAM if name == "ADMIN_PORT" else kind
        assert [answers(of_port, host, port) for host in ("127.0.0.1", "::1", OTHER)] == [True, True, False]
    counted = "requests" if program == "udp" else "connections"
    page = values(process.get("/metrics")[1])
    assert page[f'smoker_echo_{counted}_total{{protocol="{program}"}}'] == 2
    assert f"address={BOTH}" in process.stderr


def test_a_prober_on_two_addresses(start: Start) -> None:
    """A prober answers peers on both of its addresses over each protocol, and on no other."""
    kinds = {
        "TCP": socket.SOCK_STREAM,
        "UDP": socket.SOCK_DGRAM,
        "HTTP": socket.SOCK_STREAM,
        "STAMP": socket.SOCK_DGRAM,
    }
    ports = {name: free_port(kind) for name, kind in kinds.items()}
    peer = {f"PEER_{name}_PORT": port for name, port in ports.items()}
    process = start("smoker-prober", "run", SERVER_HOST="127.0.0.1", TEST_TIMEOUT=0.1, LISTEN_ADDRESS=BOTH, **peer)
    for name, kind in kinds.items():
        assert [answers(kind, host, ports[name]) for host in ("127.0.0.1", "::1", OTHER)] == [True, True, False]
    assert answers(socket.SOCK_STREAM, "::1", process.ports["ADMIN_PORT"])


def test_an_unavailable_listen_address_is_named(start: Start) -> None:
    """One sentence names the address that this host does not have; the exit code is 2."""
    process = start("smoker-tcp-echo", TCP_PORT=0, LISTEN_ADDRESS="127.0.0.1 192.0.2.1", ready=False)
    assert process.popen.wait(PATIENCE) == 2
    where = f"TCP_PORT={process.ports['TCP_PORT']} on 192.0.2.1 cannot be opened"
    where += ": LISTEN_ADDRESS is not an address of this host"
    assert where in process.stderr
    assert "127.0.0.1" not in process.stderr
