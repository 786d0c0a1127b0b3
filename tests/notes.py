"""The commands that NOTES.txt shows."""

from __future__ import annotations

import re


def commands_in(notes: str) -> list[str]:
    """Return the commands in rendered notes: lines that begin with a program, however far they are indented."""
    return re.findall(r"^ +((?:helm|kubectl) .*)$", notes, flags=re.MULTILINE)


def forwards(command: str) -> bool:
    """Return whether the command runs until Ctrl-C."""
    return command.startswith("kubectl port-forward ")
