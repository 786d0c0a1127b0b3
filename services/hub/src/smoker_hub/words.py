"""The log lines of the hub: one when a fault opens, one when it closes, one a while to say that all is well."""

from __future__ import annotations

from loguru import logger

from smoker_diagnosis import text
from smoker_hub.incidents import Change


def tell(change: Change, cluster: str) -> None:
    """Log what opened or closed, with its evidence and the next step."""
    incident = change.incident
    finding = incident.finding
    about = {"id": finding.id} | ({"cluster": cluster} if cluster else {})
    if change.kind == "close":
        lasted = text.duration((incident.closed or 0.0) - incident.first_seen)
        logger.info(f"CLOSED {text.place(finding)}: {text.what(finding)}, after {lasted}".replace("{", "{{").replace("}", "}}"), **about)
        return
    level = "ERROR" if finding.severity == "critical" else "WARNING"
    for number, line in enumerate(text.lines(finding)):
        words = line.replace("{", "{{").replace("}", "}}")
        logger.log(level if not number else "INFO", words, **(about if not number else {}))
