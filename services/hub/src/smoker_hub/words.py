"""The log lines of the hub: when a fault opens, when it closes, when all is well, when the hub is cut off."""

from __future__ import annotations

from datetime import UTC, datetime

from loguru import logger

from smoker_diagnosis import text
from smoker_hub.incidents import Change, Incident
from smoker_hub.nodes import Node, NodeChange

_LEVELS = {"critical": "ERROR", "warning": "WARNING", "info": "INFO"}
_NODES = {
    "added": "is new",
    "deleted": "was deleted",
    "ready": "is Ready again",
    "not_ready": "is NotReady",
    "cordoned": "is cordoned",
    "uncordoned": "is no longer cordoned",
}


def tell(change: Change, cluster: str) -> None:
    """Log what opened or became worse, with its evidence and the next step, or what closed."""
    incident = change.incident
    finding = incident.finding
    about = {"id": finding.id} | ({"cluster": cluster} if cluster else {})
    if change.kind == "close":
        lasted = text.duration((incident.closed or 0.0) - incident.first_seen)
        _say("INFO", f"CLOSED {text.place(finding)}: {text.what(finding)}, after {lasted}", about)
        return
    level = _LEVELS[finding.severity]
    head, *rest = text.lines(finding)
    _say(level, head.removeprefix(f"{level} "), about)  # the line begins with its level
    for line in rest:
        _say("INFO", line, {})


def resumed(incident: Incident, cluster: str) -> None:
    """Log a finding that was open when the hub stopped."""
    tell(Change("open", incident), cluster)
    _say("INFO", "  it was open when the hub stopped: the next looks confirm or close it", {})


def well(paths: int, probers: int, cluster: str) -> None:
    """Log that every prober was heard and no path fails."""
    _say("INFO", text.summary([], paths, probers), {"cluster": cluster} if cluster else {})


def blind(heard: int, asked: int) -> None:
    """Log that the hub itself is cut off."""
    logger.warning(
        "the hub is cut off: fewer than half of the probers answer it; until more do, no finding opens or closes",
        heard=heard,
        of=asked,
    )


def hears_again(heard: int, asked: int) -> None:
    """Log that it is not any more."""
    logger.info("the probers answer the hub again", heard=heard, of=asked)


def node(change: NodeChange) -> None:
    """Log what has become of a node."""
    why = f" ({change.node.reason})" if change.word == "not_ready" and change.node.reason else ""
    _say("INFO", f"NODE {change.name} {_NODES[change.word]}{why}", {})


def not_ready(name: str, known: Node) -> str:
    """Return what Kubernetes says of a node that is not ready."""
    since = f" since {datetime.fromtimestamp(known.since, UTC):%Y-%m-%d %H:%M:%S} UTC" if known.since else ""
    why = f" ({known.reason})" if known.reason else ""
    return f"Kubernetes reports {name} as NotReady{since}{why}"


def _say(level: str, line: str, fields: dict[str, str]) -> None:
    """Log a line that is no constant: loguru formats a message that comes with fields."""
    logger.log(level, line.replace("{", "{{").replace("}", "}}") if fields else line, **fields)
