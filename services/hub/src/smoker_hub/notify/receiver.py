"""What a receiver is: its options, what it is sent, and the form that its type gives to that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from smoker_diagnosis.finding import Severity
from smoker_hub.web.views import View

Happening = Literal["open", "escalate", "close"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")  # the mildest first
DEFAULT_SEVERITY: Severity = "warning"  # a finding of severity info, such as an echo that moved, wakes nobody
LARGEST_FILE = 8_192  # bytes of a mounted URL, key or Authorization


class UnusableFile(Exception):
    """A mounted file that cannot be used; the text says which and why."""


@dataclass(frozen=True)
class Source:
    """A text that is given, or that a mounted file holds. A file is read anew each time: a Secret may change."""

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
    """What has happened to a finding. `page`: the URL of its page, empty where that is not known.

    `before`: the finding as this receiver was last sent it, None if it was not.
    """

    event: Happening
    view: View
    page: str
    before: View | None = None


class Form(Protocol):
    """How one type of receiver is spoken to."""

    #: Seconds after which all open findings are sent again; 0: never.
    repeat: float
    #: Findings in one message at most.
    most: int

    def url(self, base: str) -> str:
        """Return where a message goes."""

    def body(self, notices: Sequence[Notice], now: float) -> bytes:
        """Return the JSON of a message at the date `now`."""

    def headers(self, body: bytes, notices: Sequence[Notice]) -> Mapping[str, str]:
        """Return the header fields beside Content-Type. Raises `UnusableFile`."""
