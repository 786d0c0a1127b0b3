"""Sentences about a mesh as a whole, which `once --mesh`, `once --hub` and the hub's check share."""

from __future__ import annotations

from smoker_diagnosis.text.words import verb


def by_loss(count: int) -> str:
    """Return the sentence that packet loss explains so many of the failing paths."""
    return f"Packet loss explains {count:,} failing {verb(count, 'path', 'paths')}."
