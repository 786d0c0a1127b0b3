"""The settings of a prober's process, from the environment: they stay for its life. config/plan.py has the others."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from smoker_common import peers
from smoker_common.kinds import file_path, name, one_of, port_or_none, ports, whole
from smoker_common.settings import MAX_CONNECTIONS, MAX_CONNECTIONS_PER_CLIENT, ServiceSettings, setting
from smoker_echo.answer_rate import MOST_RATE, RATE
from smoker_echo.datagram import ECHO_PORTS
from smoker_prober.target import HOST, POD


@dataclass(frozen=True)
class Process(ServiceSettings):
    """What the prober's process reads beside what every service reads."""

    node_name: str = setting("NODE_NAME", socket.gethostname, name, "the node that this prober runs on")
    cluster_name: str = setting(
        "CLUSTER_NAME", "", name, "the cluster's name, in log lines and in the state that the hub reads"
    )
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
        "the source of the peers; static: none, endpointslice: the API server",
    )
    namespace: str = setting("NAMESPACE", "", name, "the namespace of the peers' EndpointSlices")
    peer_service: str = setting("PEER_SERVICE", "smoker-prober", name, "the Service of the probers in pods")
    peer_host_service: str = setting("PEER_HOST_SERVICE", "", name, "the Service of the probers in the host network")
    peer_tcp_port: int = setting(
        "PEER_TCP_PORT", 0, port_or_none, "the port on which this prober answers peers over TCP; 0: none", listen="tcp"
    )
    peer_udp_port: int = setting(
        "PEER_UDP_PORT", 0, port_or_none, "the port on which this prober answers peers over UDP; 0: none", listen="udp"
    )
    peer_http_port: int = setting(
        "PEER_HTTP_PORT",
        0,
        port_or_none,
        "the port on which this prober answers peers over HTTP; 0: none",
        listen="tcp",
    )
    peer_stamp_port: int = setting(
        "PEER_STAMP_PORT",
        0,
        port_or_none,
        "the port on which this prober reflects STAMP packets; 0: none",
        listen="udp",
    )
    peer_bandwidth_port: int = setting(
        "PEER_BANDWIDTH_PORT",
        0,
        port_or_none,
        "the port on which this prober serves bandwidth measurements; 0: none",
        listen="tcp",
    )
    bandwidth_lease: str = setting(
        "BANDWIDTH_LEASE", "", name, "the Lease whose holder measures the bandwidth to a peer; unset: never"
    )
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
    config_file: str = setting(
        "CONFIG_FILE", "", file_path, "the file of the plan; a change takes effect within seconds, without a restart"
    )

    @property
    def log_fields(self) -> dict[str, str]:
        return {"cluster": self.cluster_name} if self.cluster_name else {}

    @property
    def in_a_mesh(self) -> bool:
        """Return whether this prober has peers, or looks for them."""
        return bool(self.peers) or self.discovery == "endpointslice"
