"""What is made from the one model of the plan: `python -m tests.prober.config.pages --write`; a test compares.

docs/plan.schema.json           the JSON Schema of the file
docs/configuration.md           the table of its keys
services/prober/README.md       the table of the variables
charts/smoker/values.schema.json    `prober.config`, which is merged over the chart's plan, and the URLs of targets
charts/smoker/probes.yaml       transports and usual ports, for network policies; the variables that win over the plan;
                                the number of targets, the limits of durations
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from smoker_common.kinds import Kind, duration_text
from smoker_common.settings import Declaration, declaration
from smoker_prober.config.plan import Plan, keys
from smoker_prober.config.reader import options
from smoker_prober.config.target_list import MOST, Entry, with_options
from smoker_prober.probes import PROBES
from smoker_prober.probes.base import Probe
from smoker_prober.probes.options import Url, key_of
from smoker_prober.process import Process
from smoker_prober.settings import plan_variables
from tests.chart.values_table import CHART, compact, rows, with_table
from tests.prober.config import plan_schema

ROOT = Path(__file__).parents[3]
SCHEMA, PAGE = ROOT / "docs" / "plan.schema.json", ROOT / "docs" / "configuration.md"
README, VALUES, CHART_FILE = (
    ROOT / "services" / "prober" / "README.md",
    CHART / "values.schema.json",
    CHART / "probes.yaml",
)
BEGIN, END = "<!-- made: begin -->\n", "<!-- made: end -->\n"


def keys_table() -> str:
    """Return the table of the file's keys, in Markdown."""
    lines = ["| key | default | what | variable |", "|---|---|---|---|", *_rows(Plan(), "")]
    lines += ["", "An entry of `targets`:", "", "| key | default | what |", "|---|---|---|"]
    lines += _rows(Entry(), "", variables=False)
    for name in with_options():
        lines += _rows(PROBES[name].options(), f"{name}.", variables=False)
    return "\n".join(lines) + "\n"


def _rows(group: Any, before: str, *, variables: bool = True) -> Iterator[str]:
    for field, option in options(group):
        key, default = f"{before}{key_of(field.name)}", getattr(group, field.name)
        if not isinstance(option.kind, Kind):
            yield from _rows(default, f"{key}.", variables=variables)
            continue
        variable = field.metadata.get("variable", "")
        last = f" {f'`{variable}`' if variable else ''} |" if variables else ""
        what = f"{option.help}; {option.kind.allowed}".replace("|", "\\|")
        yield f"| `{key}` | {_shown(default, option.kind)} | {what} |{last}"


def _shown(default: Any, kind: Kind | None = None) -> str:
    if default in (None, "", (), {}):
        return ""
    if isinstance(default, tuple):
        return f"`{','.join(map(str, default))}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, float) and kind is not None and kind.allowed.startswith("a duration"):
        return f"`{duration_text(default)}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def variables_table() -> str:
    """Return the table of the prober's variables, in Markdown."""
    lines = ["| variable | default | what |", "|---|---|---|"]
    own = [(declaration(field), field.default) for field in dataclasses.fields(Process)]
    lines += [_variable(each, default) for each, default in own]
    lines += ["", "Those of the plan, each of which wins over its key of `CONFIG_FILE`:", ""]
    lines += ["| variable | default | what |", "|---|---|---|"]
    lines += [_variable(each, default) for each, default in plan_variables()]
    return "\n".join(lines) + "\n"


def _variable(declared: Declaration, default: Any) -> str:
    shown = "the host's name" if default is dataclasses.MISSING else _shown(default)
    what = f"{declared.help}; {declared.kind.allowed}".replace("|", "\\|")
    return f"| `{declared.variable}` | {shown} | {what} |"


def with_plan(values: str) -> str:
    """Return the schema of the chart's values with the definitions of the plan and of URLs replaced."""
    root = json.loads(values)
    definitions = root["definitions"]
    definitions["plan"] = plan_schema.plan()
    definitions["url"]["pattern"] = plan_schema.urls()
    definitions["url"]["anyOf"][0]["pattern"] = plan_schema.without_host()
    return compact(root) + "\n"


def for_chart() -> str:
    """Return the transport and the usual port of each probe and scheme, and the plan's variables, as YAML."""
    lines = [
        "# Made from the prober by `python -m tests.prober.config.pages --write`.",
        "# _networkpolicy.tpl reads the ports. _env.tpl refuses the variables, because they win over the plan,",
        "# and names the value to use. _plan_checks.tpl reads the number of targets and the limits of durations.",
        "probes:",
    ]
    lines += [_transport(name, probe, probe.default_port, _over_tls(probe)) for name, probe in PROBES.items()]
    lines += ["schemes:"]
    for name, probe in PROBES.items():
        for scheme in probe.schemes:
            port, tls_port = _usual(probe, scheme), _over_tls(probe)
            lines.append(_transport(scheme, probe, port, None if tls_port == port else tls_port, name))
    lines += ["variables:"]
    lines += [f"  {variable}: {_value_of(variable)}" for variable in sorted({key.variable for key in keys()} - {""})]
    lines += [
        f"mostTargets: {MOST}",
        "durations:",
        "  plan:",
        *_durations(Plan(), ""),
        "  targets:",
        *_durations(Entry(), ""),
    ]
    lines += [line for name in with_options() for line in _durations(PROBES[name].options(), f"{name}.")]
    return "\n".join(lines) + "\n"


def _durations(group: Any, before: str) -> Iterator[str]:
    """Yield the keys that hold a duration, with their limits in seconds and in words."""
    for field, option in options(group):
        key = f"{before}{key_of(field.name)}"
        if not isinstance(option.kind, Kind):
            yield from _durations(getattr(group, field.name), f"{key}.")
        elif option.kind.allowed.startswith("a duration"):
            least, most = (option.kind.schema["anyOf"][0][limit] for limit in ("minimum", "maximum"))
            limits = f"from {duration_text(least)} to {duration_text(most)}"
            yield f"    {key}: {{least: {least:g}, most: {most:.12g}, limits: {limits}}}"


def _value_of(variable: str) -> str:
    """Return the chart's value whose comment names a variable: the prober's own, else an echo's."""
    found = [row.key for row in rows((CHART / "values.yaml").read_text()) if f"(`{variable}`)" in row.text]
    return min(found, key=lambda key: (not key.startswith("prober."), key.startswith("hub.")))


def _transport(name: str, probe: Probe, port: int | None, tls_port: int | None, of: str | None = None) -> str:
    """Return a row. `of`: the probe of a scheme, under whose name a target has its options.

    `chosen`: whether the option `transport` can choose another transport.
    """
    chosen = "transport" in {field.name for field in dataclasses.fields(probe.options)}
    found = {"probe": of, "transport": probe.transport, "port": port, "tlsPort": tls_port}
    found |= {"chosen": "true"} if chosen else {}
    return f"  {name}: {{{', '.join(f'{key}: {value}' for key, value in found.items() if value is not None)}}}"


def _over_tls(probe: Probe) -> int | None:
    """Return the port of a target over TLS that names no port, if that differs from the usual one."""
    fields = {field.name for field in dataclasses.fields(probe.options)}
    if not fields & {"tls", "transport"}:
        return None
    port = probe.usual_port(probe.options(tls=True) if "tls" in fields else probe.options(transport="tls"))
    return None if port == probe.default_port else port


def _usual(probe: Probe, scheme: str) -> int | None:
    """Return the port of a URL that has none; None where it must have one."""
    try:
        return probe.of_url(Url(scheme, "host"))[0]
    except ValueError:
        return None


def pages() -> dict[Path, str]:
    """Return each file as it should be."""
    values = with_plan(VALUES.read_text())
    return {
        SCHEMA: compact(plan_schema.schema(values)) + "\n",
        PAGE: with_table(PAGE.read_text(), keys_table(), BEGIN, END),
        README: with_table(README.read_text(), variables_table(), BEGIN, END),
        VALUES: values,
        CHART_FILE: for_chart(),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        if sys.argv[1:] == ["--write"]:
            path.write_text(text)
        elif path.read_text() != text:
            print(f"{path} differs")
