"""Authentication of the API and the page by a Secret: a bearer token, or a user with a password.

The files of the Secret are read at each request: a renewed Secret needs no restart. Nothing of them is logged.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from pathlib import Path

TOKEN, USER, PASSWORD = "token", "username", "password"
LONGEST = 4_096  # bytes of a file
BASIC, BEARER = 'Basic realm="smoker", charset="UTF-8"', 'Bearer realm="smoker"'


class Guard:
    """Compares credentials with the files of `folder`: `token`, or `username` and `password`, or all three."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def mistake(self) -> str:
        """Return why no login could succeed, or an empty string."""
        if self._read(TOKEN) or (self._read(USER) and self._read(PASSWORD)):
            return ""
        return f"{self._folder} has no file token, nor username and password"

    @property
    def challenges(self) -> list[str]:
        """Return what the Secret asks for, each for a WWW-Authenticate field of its own (RFC 9110 section 11.6.1).

        Chromium asks nobody for a password where another scheme comes first in the same field.
        """
        asked = [BASIC] if self._read(USER) and self._read(PASSWORD) else []
        return [*asked, BEARER] if self._read(TOKEN) or not asked else asked

    def allows(self, authorization: str) -> bool:
        """Return whether the Authorization header `authorization` (RFC 9110 section 11.6.2) has the credentials."""
        scheme, _, credentials = authorization.partition(" ")
        given = credentials.strip().encode("latin-1", "replace")
        if scheme.lower() == "bearer":
            return _same(given, self._read(TOKEN))
        if scheme.lower() == "basic":
            user, password = self._read(USER), self._read(PASSWORD)
            return bool(user) and bool(password) and _same(_decoded(given), user + b":" + password)
        return False

    def _read(self, name: str) -> bytes:
        """Return the content of a file without the line end that editors add; empty if there is no file."""
        try:
            with (self._folder / name).open("rb") as file:
                return file.read(LONGEST).rstrip(b"\r\n")
        except OSError:
            return b""


def _same(given: bytes, wanted: bytes) -> bool:
    """Compare in a time that does not depend on the content. An empty secret never matches."""
    return hmac.compare_digest(given, wanted) and bool(wanted)


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
