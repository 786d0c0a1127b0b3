"""Where the tables come from that a command writes into a document: date, commit and command, as one line."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]


def origin(module: str, arguments: Sequence[str], page: Path, root: Path = ROOT) -> str:
    """Return the line for a table that `module` writes into `page`. Ask before measuring: the commit may change."""
    day = time.strftime("%Y-%m-%d", time.gmtime())
    return f"{day}, {_commit(root, page)}: `{shlex.join(['python', '-m', module, *arguments])}`"


def _commit(root: Path, page: Path) -> str:
    """Return the commit of the code, and whether files differ from it. Changes of `page` itself do not matter."""
    commit = _git(root, "rev-parse", "--short=8", "HEAD").strip()
    if not commit:
        return "unknown commit"
    except_page = (".", f":(exclude,top){page.resolve().relative_to(root.resolve())}")
    changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", *except_page)
    return f"commit {commit}{' with changes' if changed else ''}"


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""
