"""The log lines of the hub: a fault opens or closes, every path works, the hub is cut off."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from loguru import logger

from smoker_diagnosis import text
from smoker_hub.incident import Incident
from smoker_hub.incidents import Change
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


def log_change(change: Change) -> None:
    """Log a finding that opened or became worse, with its evidence and the next step, or that closed."""
    incident = change.incident
    finding = incident.finding
    about = {"id": finding.id}
    if change.kind == "close":
        lasted = text.duration((incident.closed or 0.0) - incident.first_seen)
        why = f": {incident.part_of}" if incident.part_of else ""
        _say("INFO", f"CLOSED {text.place(finding)}: {text.what(finding)}, after {lasted}{why}", about)
        return
    level = _LEVELS[finding.severity]
    head, *rest = text.lines(finding)
    _say(level, head.removeprefix(f"{level} "), about)  # the line begins with its level
    for line in rest:
        _say("INFO", line, {})


def log_late_evidence(incident: Incident, kinds: Collection[str]) -> None:
    """Log what checks of flows or traces have found of an open finding: they come some seconds after it opened."""
    finding = incident.finding
    about = {"id": finding.id}
    for each in text.late_evidence(finding, kinds):
        _say("INFO", f"EVIDENCE {text.place(finding)}: {each}", about)


def log_resumed(incident: Incident) -> None:
    """Log a finding that was open in the hub before this one, or before a restart."""
    log_change(Change("open", incident))
    _say("INFO", "  it was open before this hub began: the next looks confirm or close it", {})


def log_healthy(paths: int, probers: int) -> None:
    """Log that every prober was heard and no path fails."""
    _say("INFO", text.summary([], paths, probers), {})


def log_blind(heard: int, asked: int) -> None:
    """Log that the hub itself is cut off."""
    logger.warning(
        "the hub is cut off: fewer than half of the probers answer it; until more do, no finding opens or closes",
        heard=heard,
        of=asked,
    )


def log_no_longer_blind(heard: int, asked: int) -> None:
    """Log that the hub is no longer cut off."""
    logger.info("the probers answer the hub again", heard=heard, of=asked)


def log_node(change: NodeChange) -> None:
    """Log a change of a node."""
    _say("INFO", f"NODE {of_node(change)}", {})


def of_node(change: NodeChange) -> str:
    """Return a sentence about a change of a node."""
    why = f" ({change.node.reason})" if change.word == "not_ready" and change.node.reason else ""
    return f"{change.name} {_NODES[change.word]}{why}"


def not_ready(name: str, known: Node) -> str:
    """Return a sentence about a node that is not ready in Kubernetes."""
    since = f" since {datetime.fromtimestamp(known.since, UTC):%Y-%m-%d %H:%M:%S} UTC" if known.since else ""
    why = f" ({known.reason})" if known.reason else ""
    return f"Kubernetes reports {name} as NotReady{since}{why}"


def _say(level: str, line: str, fields: dict[str, str]) -> None:
    """Log a line that may contain braces: loguru formats a message that has fields."""
    logger.log(level, line.replace("{", "{{").replace("}", "}}") if fields else line, **fields)
