"""The variables of OpenTelemetry that the hub reads, and those that are set without an effect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from smoker_common.log import escaped

Signal = Literal["logs", "metrics"]
SIGNALS: tuple[Signal, ...] = ("logs", "metrics")
RECEIVER = "otlp:logs"  # the name of the logs where records keep what was sent; no receiver of NOTIFY may have a colon

PREFIX = "OTEL_EXPORTER_OTLP_"
TLS = ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")
EXPORTER = ("ENDPOINT", "PROTOCOL", "HEADERS", "TIMEOUT", "COMPRESSION", *TLS)  # after PREFIX, also of one signal
DISABLED = "OTEL_SDK_DISABLED"
INTERVAL_VARIABLE = "OTEL_METRIC_EXPORT_INTERVAL"
SERVICE_NAME = "OTEL_SERVICE_NAME"
ATTRIBUTES = "OTEL_RESOURCE_ATTRIBUTES"
GENERAL = (DISABLED, "OTEL_LOGS_EXPORTER", "OTEL_METRICS_EXPORTER", INTERVAL_VARIABLE, SERVICE_NAME, ATTRIBUTES)
SHOWN = 20  # variables that a sentence names at most


def names(name: str, signal: Signal) -> tuple[str, str]:
    """Return the variable `name` of one signal, and that of both."""
    return f"{PREFIX}{signal.upper()}_{name}", PREFIX + name


def given(environ: Mapping[str, str], variable: str) -> str:
    """Return the text of a variable. An empty variable counts as unset."""
    return environ.get(variable, "").strip()


READ = frozenset([*GENERAL, *(each for name in EXPORTER for signal in SIGNALS for each in names(name, signal))])


def without_effect(environ: Mapping[str, str]) -> list[str]:
    """Return sentences that name the variables of OpenTelemetry that are set without an effect."""
    present = sorted(name for name in environ if name.startswith("OTEL_") and given(environ, name))
    unread = [name for name in present if name not in READ]
    idle, plain = [], []
    for prefix, signals in _groups():
        urls = [url for url in (_endpoint(environ, signal) for signal in signals) if url]
        own = [name for name in EXPORTER if prefix + name in present]
        if not urls:
            idle += [prefix + name for name in own]
        elif not any(url.lower().startswith("https:") for url in urls):
            plain += [prefix + name for name in own if name in TLS]
    if not any(_endpoint(environ, signal) for signal in SIGNALS):
        idle += [name for name in (SERVICE_NAME, ATTRIBUTES) if name in present]
    sentences = []
    if unread:
        sentences.append(f"the hub does not read {_listed(unread)}; docs/collecting.md lists what it reads")
    if idle:
        sentences.append(f"without effect, because no endpoint is set for OTLP: {_listed(idle)}")
    if plain:
        sentences.append(f"without effect, because the endpoint for OTLP is not https: {_listed(plain)}")
    return sentences


def _groups() -> list[tuple[str, Sequence[Signal]]]:
    """Return the prefix of the variables of both signals and of each, and the signals."""
    return [(PREFIX, SIGNALS), *((f"{PREFIX}{signal.upper()}_", (signal,)) for signal in SIGNALS)]


def _endpoint(environ: Mapping[str, str], signal: Signal) -> str:
    of_signal, of_both = names("ENDPOINT", signal)
    return given(environ, of_signal) or given(environ, of_both)


def _listed(variables: Iterable[str]) -> str:
    every = [escaped(name)[:100] for name in variables]
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more
