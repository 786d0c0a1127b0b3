"""OpenTelemetry's standard variables for an exporter, of each signal or of all.

OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318          # /v1/logs and /v1/metrics follow
OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=https://logs.example/x    # of logs alone, as it is

OpenTelemetry's specification: "OpenTelemetry Protocol Exporter" and "Environment Variable Specification".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import unquote

from smoker_hub.otlp import resource
from smoker_hub.otlp.variables import DISABLED, INTERVAL_VARIABLE, SIGNALS, Signal, given, names, without_effect
from smoker_hub.post import is_url
from smoker_hub.tls import Client, bad_ca, bad_client

SECONDS = 10.0  # for a request, as the specification has it
INTERVAL = 60.0  # seconds between two exports of metrics, as the specification has it
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")  # RFC 9110 section 5.6.2
T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """The destination of a signal, and how it is sent."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    seconds: float = SECONDS
    gzip: bool = False
    ca_file: str = ""
    client: Client | None = None


@dataclass(frozen=True)
class Otlp:
    """Both signals; None for one that is not sent. `interval`: seconds between two exports of metrics.

    `resource`: the attributes that the variables give the resource. `notes`: sentences about variables without effect.
    """

    logs: Options | None
    metrics: Options | None
    interval: float = INTERVAL
    resource: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def read(environ: Mapping[str, str]) -> tuple[Otlp, list[str]]:
    """Return the options in the variables, and a sentence for each mistake."""
    disabled = given(environ, DISABLED).lower()
    if disabled == "true":
        return Otlp(None, None, notes=[f"{DISABLED} is true: nothing is sent over OTLP"]), []
    mistakes: list[str] = []
    logs, metrics = (_signal(environ, signal, mistakes) for signal in SIGNALS)
    interval = given(environ, INTERVAL_VARIABLE) or f"{INTERVAL * 1000:.0f}"
    seconds = _read(INTERVAL_VARIABLE, interval, _milliseconds, INTERVAL, mistakes)
    about = resource.read(environ, mistakes) if logs or metrics else {}
    notes = without_effect(environ)
    if disabled not in ("", "false"):  # the specification demands that this counts as false
        notes.append(f"{DISABLED} is neither true nor false, so it counts as false")
    return Otlp(logs, metrics, seconds, about, notes), list(dict.fromkeys(mistakes))


def _signal(environ: Mapping[str, str], signal: Signal, mistakes: list[str]) -> Options | None:
    def variable(name: str) -> tuple[str, str]:
        """Return the variable of this signal, or else that of both, and its text."""
        of_signal, of_both = names(name, signal)
        text = given(environ, of_signal)
        return (of_signal, text) if text else (of_both, given(environ, of_both))

    def value(name: str, convert: Callable[[str], T], default: T) -> T:
        named, text = variable(name)
        return _read(named, text, convert, default, mistakes) if text else default

    named, endpoint = variable("ENDPOINT")
    exporter = f"OTEL_{signal.upper()}_EXPORTER"
    sent = _read(exporter, given(environ, exporter) or "otlp", _is_sent, True, mistakes) if endpoint else False
    if not sent:
        return None
    url = value("ENDPOINT", _url, "")
    value("PROTOCOL", _protocol, "")
    return Options(
        url=url if named == names("ENDPOINT", signal)[0] else f"{url.rstrip('/')}/v1/{signal}",
        headers=value("HEADERS", _headers, {}),
        seconds=value("TIMEOUT", _milliseconds, SECONDS),
        gzip=value("COMPRESSION", _compression, False),
        ca_file=value("CERTIFICATE", _certificate, ""),
        client=_client(variable("CLIENT_CERTIFICATE"), variable("CLIENT_KEY"), mistakes),
    )


def _client(certificate: tuple[str, str], key: tuple[str, str], mistakes: list[str]) -> Client | None:
    """Return the client certificate of two variables, each a name and a text."""
    (of_certificate, certificate_file), (of_key, key_file) = certificate, key
    if not certificate_file and not key_file:
        return None
    client = Client(certificate_file, key_file)
    if not key_file:
        mistakes.append(
            f"{of_certificate} is set without a key: it needs {of_certificate.replace('CERTIFICATE', 'KEY')}"
        )
    elif not certificate_file:
        mistakes.append(f"{of_key} is set without a certificate: it needs {of_key.replace('KEY', 'CERTIFICATE')}")
    elif why := bad_client(client):
        mistakes.append(f"{of_certificate} and {of_key} do not fit: {why}")
    return client


def _read(variable: str, text: str, convert: Callable[[str], T], default: T, mistakes: list[str]) -> T:
    """Return the value of `text`, or the default where it has none. No text is repeated: a header may be a secret."""
    try:
        return convert(text)
    except ValueError as error:
        mistakes.append(f"{variable} {error}")
        return default


def _url(text: str) -> str:
    if not is_url(text):
        raise ValueError("is not a URL that begins with http:// or https://, without a user")
    return text


def _is_sent(text: str) -> bool:
    if text not in ("otlp", "none"):
        raise ValueError("is neither otlp nor none")
    return text == "otlp"


def _protocol(text: str) -> str:
    if text != "http/protobuf":
        raise ValueError("is not http/protobuf, which is all that the hub speaks")
    return text


def _milliseconds(text: str) -> float:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:10]) <= 3_600_000):
        raise ValueError("is not a whole number of milliseconds from 1 to 3600000")
    return int(text) / 1000


def _compression(text: str) -> bool:
    if text not in ("gzip", "none"):
        raise ValueError("is neither gzip nor none")
    return text == "gzip"


def _certificate(text: str) -> str:
    if why := bad_ca(text):
        raise ValueError(f"does not fit: {why}")
    return text


def _headers(text: str) -> dict[str, str]:
    """Return the fields of `name=value,name=value`, where values are percent-encoded (W3C Baggage)."""
    found = {}
    for pair in (pair.strip() for pair in text.split(",")):
        name, equals, value = pair.partition("=")
        shown = unquote(value.strip())
        if not equals or not TOKEN.fullmatch(name.strip()) or not shown.isprintable() or not shown.isascii():
            raise ValueError("is not a comma-separated list of NAME=VALUE")
        found[name.strip()] = shown
    return found
