"""The settings of the prober."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from smoker_common import peers
from smoker_common.settings import (
    MAX_CONNECTIONS,
    MAX_CONNECTIONS_PER_CLIENT,
    ServiceSettings,
    host,
    name,
    one_of,
    port,
    port_or_none,
    ports,
    seconds,
    setting,
    some_of,
    whole,
)
from smoker_echo.answer_rate import MOST_RATE, RATE
from smoker_echo.datagram import ECHO_PORTS
from smoker_prober.config import targets as externals
from smoker_prober.probes import ECHOED
from smoker_prober.target import HOST, POD


@dataclass(frozen=True)
class Settings(ServiceSettings):
    """What the prober reads beside what every service reads."""

    server_host: str = setting("SERVER_HOST", "smoker-server", host, "the host of the echo services")
    tcp_port: int = setting("TCP_PORT", 8080, port, "the port of the TCP echo")
    udp_port: int = setting("UDP_PORT", 8081, port, "the port of the UDP echo")
    http_port: int = setting("HTTP_PORT", 8082, port, "the port of the HTTP echo")
    test_interval: float = setting(
        "TEST_INTERVAL", 30.0, seconds(0.1, 86400), "time from the start of one round to the start of the next"
    )
    test_timeout: float = setting(
        "TEST_TIMEOUT", 5.0, seconds(0.001, 3600), "time limit of one probe, name resolution included"
    )
    stamp_port: int = setting("STAMP_PORT", 8062, port, "the port of the STAMP reflector")
    probes: tuple[str, ...] = setting(
        "PROBES",
        ECHOED,
        some_of(*ECHOED),
        "the kinds of probes sent to the echo services and peers; a train follows udp",
    )
    udp_packets: int = setting(
        "UDP_PACKETS", 10, whole(0, 1000), "packets in the train that follows each UDP probe; 0: no train"
    )
    mtu_interval: float = setting(
        "MTU_INTERVAL",
        30.0,
        seconds(0, 86400),
        "time between two large packets that check the MTU, each after a UDP probe; 0: none",
    )
    latency: str = setting(
        "LATENCY",
        "network",
        one_of("network", "duration"),
        "the latency in result lines: the network's round-trip time, or the duration of the probe",
    )
    node_name: str = setting("NODE_NAME", socket.gethostname, name, "the node that this prober runs on")
    cluster_name: str = setting("CLUSTER_NAME", "", name, "the cluster's name, in the state that the hub reads")
    network: str = setting(
        "NETWORK", POD, one_of(POD, HOST), "the network of this prober: the pod network or the host network"
    )
    peers: tuple[peers.NamedPeer, ...] = setting(
        "PEERS",
        (),
        peers.kind,
        "the peers, instead of those from the API server; each uses the same ports as this prober",
    )
    discovery: str = setting(
        "DISCOVERY",
        "static",
        one_of("static", "endpointslice"),
        "where peers come from; static: none, endpointslice: from the API server",
    )
    namespace: str = setting("NAMESPACE", "", name, "the namespace of the peers' EndpointSlices")
    peer_service: str = setting("PEER_SERVICE", "smoker-prober", name, "the Service of the probers in pods")
    peer_host_service: str = setting("PEER_HOST_SERVICE", "", name, "the Service of the probers in the host network")
    mesh_peers: int = setting("MESH_PEERS", 10, whole(0, 10_000), "number of nodes to probe; 0: all")
    peer_tcp_port: int = setting(
        "PEER_TCP_PORT", 0, port_or_none, "the port on which this prober answers peers over TCP; 0: none", listen="tcp"
    )
    peer_udp_port: int = setting("PEER_UDP_PORT", 0, port_or_none, "the same over UDP", listen="udp")
    peer_http_port: int = setting("PEER_HTTP_PORT", 0, port_or_none, "the same over HTTP", listen="tcp")
    peer_stamp_port: int = setting("PEER_STAMP_PORT", 0, port_or_none, "the same for STAMP packets", listen="udp")
    max_connections: int = setting("MAX_CONNECTIONS", 512, whole(1, 1_000_000), MAX_CONNECTIONS)
    max_connections_per_client: int = setting(
        "MAX_CONNECTIONS_PER_CLIENT", 128, whole(1, 1_000_000), MAX_CONNECTIONS_PER_CLIENT
    )
    answer_rate: int = setting(
        "ANSWER_RATE",
        RATE,
        whole(1, MOST_RATE),
        "most answers per second to one source address, over UDP and to STAMP packets each",
    )
    echo_ports: tuple[int, ...] = setting(
        "ECHO_PORTS",
        ECHO_PORTS,
        ports,
        "ports of other echoes and reflectors; datagrams from these ports are not answered",
    )
    targets: str = setting("TARGETS", "", externals.kind, "external targets")
