"""Run a command with a deadline, and report an error in one sentence."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class CommandError(Exception):
    """A command is missing, failed or took too long; `code` is None if it did not end by itself."""

    def __init__(self, sentence: str, code: int | None = None, output: str = "") -> None:
        super().__init__(f"{sentence}\n{output}".strip())
        self.code, self.output = code, output

    @property
    def last_line(self) -> str:
        """Return the last line, which usually contains the reason."""
        return str(self).splitlines()[-1]


def run(
    *command: str,
    seconds: float = 60,
    stdin: str = "",
    environ: Mapping[str, str | None] | None = None,
    stderr_too: bool = False,
) -> str:
    """Run `command` in the project's folder and return its stdout.

    `environ` is added to this process's own; a variable that is None there is taken away.
    """
    environment = {name: value for name, value in {**os.environ, **(environ or {})}.items() if value is not None}
    written = shlex.join(command)
    try:
        done = subprocess.run(
            command,
            check=False,
            cwd=ROOT,
            env=environment,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if stderr_too else subprocess.PIPE,
            text=True,
            timeout=seconds,
        )
    except FileNotFoundError:
        raise CommandError(f"{command[0]} is not on the PATH.") from None
    except subprocess.TimeoutExpired as late:
        so_far = late.stdout.decode(errors="replace") if isinstance(late.stdout, bytes) else late.stdout or ""
        raise CommandError(f"No end after {seconds:g} s: {written}", output=so_far) from None
    if done.returncode:
        raise CommandError(
            f"Exit code {done.returncode}: {written}", done.returncode, done.stdout + (done.stderr or "")
        )
    return done.stdout
