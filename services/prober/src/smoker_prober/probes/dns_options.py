"""The options of the DNS probe: what is looked up, over which transport, and the answer that is expected."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from urllib.parse import unquote

from smoker_common.kinds import Kind, one_of, some_of
from smoker_prober.probes import dns_message, option_kinds
from smoker_prober.probes.options import Url, of_query, option

PORT = 53
TLS_PORT = 853  # RFC 7858 section 3.1
SHOWN = 16  # answers in a result
RCODES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")
_NAME = re.compile(r"(?=.{1,254}$)([a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?\.?")


def _name(text: str) -> str:
    name = text.lower()
    if not _NAME.fullmatch(name):
        raise ValueError(text)
    return name.removesuffix(".") + "."


def _texts(text: str) -> tuple[str, ...]:
    found = tuple(re.split(r"[,\s]+", text.strip().lower()))
    if not all(found) or len(found) > SHOWN or not text.isprintable():
        raise ValueError(text)
    return found


def comparable(text: str) -> str:
    """Return an answer in the one form of its address (RFC 5952) or name: in lower case, without the last dot."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text.lower().removesuffix(".")


LABEL = "[A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?"
NAME = Kind(
    "a name of at most 253 letters, digits, hyphens, underscores and dots",
    _name,
    {"type": "string", "maxLength": 254, "pattern": rf"^({LABEL}\.)*{LABEL}\.?$"},
)
ANSWERS = Kind(
    f"a comma- or space-separated list of 1 to {SHOWN} answers",
    _texts,
    {"type": "array", "minItems": 1, "maxItems": SHOWN, "items": {"type": "string", "pattern": r"^[^,\s]+$"}},
)


@dataclass(frozen=True)
class Expect:
    """What an answer must have."""

    rcode: str = option("NOERROR", one_of(*RCODES), "the expected response code")
    answers: tuple[str, ...] = option((), ANSWERS, "addresses or names that must be among the answers")


@dataclass(frozen=True)
class Options:
    """What is asked, and how."""

    name: str = option("", NAME, "the name to look up; default: kubernetes.default.svc of the cluster's domain")
    type: tuple[str, ...] = option(
        ("A",), some_of(*dns_message.TYPES), "the types of records; several are asked for at once, from one socket"
    )
    transport: str = option(
        "udp", one_of("udp", "tcp", "tls"), "udp, with TCP after an answer that was cut short; tcp; or tls, at port 853"
    )
    server_name: str = option("", option_kinds.host, "the name in the server's certificate; default: the host")
    ca: str = option("", option_kinds.file, "a file with the CAs to trust; default: the system's")
    expect: Expect = option(Expect(), Expect, "what the answer must have")

    @property
    def default_port(self) -> int:
        """Return the port of the transport."""
        return TLS_PORT if self.transport == "tls" else PORT


def from_url(url: Url) -> Options:
    """Return the options that a URL says: the name is its path, the rest its query. Raises ValueError."""
    options = of_query(Options, url.query) or Options()
    name = unquote((url.path or "")[1:])
    if not name:
        return options
    if options.name:
        raise ValueError("the name is given in the path and in the query")
    return replace(options, name=_name(name))
