"""The settings of the hub."""

from __future__ import annotations

from dataclasses import dataclass

from smoker_common import peers
from smoker_common.kinds import Kind, name, one_of, port, seconds, whole
from smoker_common.settings import ServiceSettings, setting
from smoker_hub.notify.options import receivers
from smoker_hub.notify.receiver import Options
from smoker_hub.post import is_url


def _url(text: str) -> str:
    if not is_url(text):
        raise ValueError(text)
    return text


def _folder(text: str) -> str:
    if not text.startswith("/") or not text.isprintable():
        raise ValueError(text)
    return text


url = Kind("a URL that begins with http:// or https://, without a user", _url)
folder = Kind("the path of a folder, which begins with /", _folder)


@dataclass(frozen=True)
class Settings(ServiceSettings):
    """The settings of the hub, in addition to those of every service."""

    http_port: int = setting("HTTP_PORT", 8083, port, "the port of the API and the page", listen="tcp")
    interval: float = setting(
        "INTERVAL", 5.0, seconds(0.5, 3600), "longest time from one look at all probers to the next"
    )
    timeout: float = setting("TIMEOUT", 2.0, seconds(0.1, 60), "time limit for the answer of one prober")
    peers: tuple[peers.NamedPeer, ...] = setting(
        "PEERS", (), peers.kind, "the probers' admin ports, instead of those from the API server"
    )
    namespace: str = setting("NAMESPACE", "", name, "the namespace of the probers' EndpointSlices")
    peer_service: str = setting("PEER_SERVICE", "smoker-prober", name, "the Service of the probers in pods")
    peer_host_service: str = setting("PEER_HOST_SERVICE", "", name, "the Service of the probers in the host network")
    peer_admin_port: int = setting("PEER_ADMIN_PORT", 9464, port, "the admin port of the probers in pods")
    peer_host_admin_port: int = setting(
        "PEER_HOST_ADMIN_PORT", 19464, port, "the admin port of the probers in the host network"
    )
    watch_nodes: str = setting(
        "WATCH_NODES", "false", one_of("true", "false"), "whether to read the cluster's Nodes; needs a ClusterRole"
    )
    lease_name: str = setting(
        "LEASE_NAME", "", name, "the Lease whose holder sends the notifications; empty: every hub sends them"
    )
    cluster_name: str = setting("CLUSTER_NAME", "", name, "the cluster's name, in every log line and finding")
    history_folder: str = setting("HISTORY_FOLDER", "", folder, "the folder of the history; unset: no history")
    history_days: int = setting("HISTORY_DAYS", 7, whole(1, 3650), "how many days the history goes back")
    history_mebibytes: int = setting("HISTORY_MIB", 256, whole(16, 1_048_576), "largest size of the history in MiB")
    auth_folder: str = setting(
        "AUTH_FOLDER", "", folder, "the folder with the files token, username and password; unset: no login"
    )
    prometheus_url: str = setting(
        "PROMETHEUS_URL", "", url, "the Prometheus whose data the page's charts show; unset: the probers' last hour"
    )
    external_url: str = setting(
        "EXTERNAL_URL", "", url, "the URL under which users reach the page, for links in notifications"
    )
    receivers: tuple[Options, ...] = setting("NOTIFY", (), receivers, "the receivers of each finding")

    @property
    def log_fields(self) -> dict[str, str]:
        return {"cluster": self.cluster_name} if self.cluster_name else {}
