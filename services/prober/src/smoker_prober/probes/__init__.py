"""The probes, by name, in the order of a round. A new protocol is a file here and a line in `PROBES`."""

from smoker_prober.probes import http, tcp, udp
from smoker_prober.probes.base import Probe

PROBES: dict[str, Probe] = {"tcp": tcp.probe, "udp": udp.probe, "http": http.probe}
