"""Receivers of notifications: their options, their notices, and the message formats of their types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from smoker_diagnosis.finding import Severity
from smoker_hub.web.views import View

Happening = Literal["open", "escalate", "close"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")  # the mildest first
DEFAULT_SEVERITY: Severity = "warning"  # a finding of severity info, such as an echo that moved, is not sent by default
LARGEST_FILE = 8_192  # bytes of a mounted URL, key or Authorization


class UnusableFile(Exception):
    """A mounted file cannot be used; the text names the file and the reason."""


@dataclass(frozen=True)
class Source:
    """A text, or a mounted file that contains it. The file is read each time, because a Secret may change."""

    text: str = field(default="", repr=False)
    file: str = ""

    def __bool__(self) -> bool:
        return bool(self.text or self.file)

    def read(self) -> str:
        """Return the text, without white space around it. Raises `UnusableFile`."""
        if not self.file:
            return self.text
        try:
            with open(self.file, encoding="utf-8") as file:
                text = file.read(LARGEST_FILE + 1).strip()
        except OSError as error:
            raise UnusableFile(f"{self.file} cannot be read: {(error.strerror or str(error)).lower()}") from None
        except UnicodeDecodeError:
            raise UnusableFile(f"{self.file} is not UTF-8") from None
        if not text or len(text) > LARGEST_FILE:
            raise UnusableFile(f"{self.file} is {'too large' if text else 'empty'}")
        return text


@dataclass(frozen=True)
class Options:
    """One entry of the setting NOTIFY."""

    type: str
    name: str
    url: Source
    min_severity: Severity = DEFAULT_SEVERITY
    ca_file: str = ""
    authorization: Source = Source()
    signing_key: Source = Source()
    labels: Mapping[str, str] = field(default_factory=dict)


class Notice(NamedTuple):
    """A change of a finding. `page`: the URL of its page, empty if unknown.

    `before`: the finding as this receiver was last sent it, None if it was not.
    """

    event: Happening
    view: View
    page: str
    before: View | None = None


class Form(Protocol):
    """The message format of one type of receiver."""

    #: Seconds after which all open findings are sent again; 0: never.
    repeat: float
    #: Findings in one message at most.
    most: int

    def url(self, base: str) -> str:
        """Return the URL of a message."""

    def body(self, notices: Sequence[Notice], now: float) -> bytes:
        """Return the JSON of a message at the date `now`."""

    def headers(self, body: bytes, notices: Sequence[Notice]) -> Mapping[str, str]:
        """Return the header fields except Content-Type. Raises `UnusableFile`."""
