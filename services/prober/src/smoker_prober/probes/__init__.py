"""The probes, by name, in the order of a round. A new protocol is a file here and a line in `PROBES`."""

from smoker_prober.probes import connect, http, tcp, udp
from smoker_prober.probes.base import Probe

PROBES: dict[str, Probe] = {"tcp": tcp.probe, "udp": udp.probe, "http": http.probe, "connect": connect.probe}
ECHOED = ("tcp", "udp", "http")  # those that every host with echoes answers: the Service, each peer
