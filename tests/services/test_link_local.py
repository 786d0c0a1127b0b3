"""Services that listen on a link-local address, in a network namespace of the test."""

from __future__ import annotations

import re

from tests.namespace import in_namespace

HERE = {"LISTEN_ADDRESS": "[fe80::5eed%here]", "SERVER_HOST": "fe80::5eed%here", "TEST_TIMEOUT": "5"}
SERVE = """
ADMIN_PORT=9001 smoker-tcp-echo & ADMIN_PORT=9002 smoker-udp-echo & ADMIN_PORT=9003 smoker-http-echo &
smoker-prober once --settle 30
"""
PEER = """
PEER_TCP_PORT=8080 PEER_UDP_PORT=8081 PEER_HTTP_PORT=8082 PEER_STAMP_PORT=8062 smoker-prober run >/dev/null 2>&1 &
smoker-prober once --settle 30
until smoker-prober report; do sleep 0.2; done
"""


def test_echoes_answer_on_a_link_local_address() -> None:
    """Each binds with the interface's scope id, over TCP and UDP, and is probed at that address."""
    found = in_namespace(SERVE, HERE)
    assert (found.returncode, "All 3 probes" in found.stdout) == (0, True), found.stderr


def test_a_prober_answers_on_a_link_local_address() -> None:
    """Its ports for peers and its admin port are open there."""
    found = in_namespace(PEER, HERE | {"TEST_INTERVAL": "1"})
    assert (found.returncode, "All 3 probes" in found.stdout) == (0, True), found.stderr


def test_a_missing_interface_is_an_error() -> None:
    """One sentence reports it for all ports; exit code 2."""
    found = in_namespace("smoker-udp-echo", HERE | {"LISTEN_ADDRESS": "fe80::5eed%nope"})
    assert found.returncode == 2
    assert found.stderr == (
        "smoker-udp-echo: cannot start: "
        "LISTEN_ADDRESS=fe80::5eed%nope cannot be listened on: this host has no interface nope.\n"
    )


def test_an_address_that_is_on_no_interface() -> None:
    """If the interface exists without the address, each port reports it."""
    found = in_namespace("smoker-tcp-echo", HERE | {"LISTEN_ADDRESS": "fe80::bad%here"})
    assert found.returncode == 2
    assert len(re.findall("LISTEN_ADDRESS is not an address of this host", found.stderr)) == 2
