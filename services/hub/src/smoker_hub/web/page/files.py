"""The static files of the page, read once: modules, styles and the vendored libraries.

Their addresses carry a digest of all of them (`static/DIGEST/app/main.js`), so that a browser may keep them for ever
and a new hub is never seen with the modules of an old one.
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
KINDS = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
PREFIX = "/static/"
FOR_EVER, ASK = "public, max-age=31536000, immutable", "no-cache"


class File(NamedTuple):
    """A file of the page: its type, its bytes, the same compressed, and its ETag, a weak one since both share it."""

    kind: str
    body: bytes
    packed: bytes
    tag: str


class Served(NamedTuple):
    """A file as it is served, and for how long it may be kept."""

    file: File
    keep: str


def _file(path: Path) -> File:
    body = path.read_bytes()
    digest = hashlib.blake2b(body, digest_size=12).hexdigest()
    return File(KINDS[path.suffix], body, gzip.compress(body, 9, mtime=0), f'W/"{digest}"')


#: By name below this folder: `app/main.js`, `vendor/ui.js`.
FILES = {
    path.relative_to(FOLDER).as_posix(): _file(path)
    for folder in ("app", "vendor")
    for path in sorted(FOLDER.joinpath(folder).iterdir())
    if path.suffix in KINDS
}
DIGEST = hashlib.blake2b(
    "".join(f"{name}{file.tag}" for name, file in FILES.items()).encode(), digest_size=6
).hexdigest()
BASE = f"static/{DIGEST}"


def find(path: str) -> Served | None:
    """Return the file at `path` of a request. Under the digest of another hub it must be asked for each time."""
    digest, _, name = path.removeprefix(PREFIX).partition("/")
    file = FILES.get(name) if path.startswith(PREFIX) else None
    return None if file is None else Served(file, FOR_EVER if digest == DIGEST else ASK)
