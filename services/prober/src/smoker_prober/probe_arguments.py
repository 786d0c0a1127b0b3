"""The arguments of `probe KIND HOST [PORT]`, made of what the probes declare: each option is a flag."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from smoker_common.kinds import Kind, host, port, seconds, whole
from smoker_prober.probes import BY_HAND
from smoker_prober.probes.base import Probe
from smoker_prober.probes.options import declared, of_texts
from smoker_prober.target import Target, service_path

Argument = Callable[[Kind], Callable[[str], Any]]


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        """Print the message alone, and end."""
        self.exit(2, f"{self.prog}: {message}\n")


def add_to(commands: Any, argument: Argument) -> None:
    """Add the command `probe` to `commands`. `argument` makes a type for argparse of a kind."""
    probe = commands.add_parser("probe", help="probe one target by hand")
    kinds = probe.add_subparsers(dest="probe", metavar="KIND", required=True, parser_class=_Parser)
    for name, each in BY_HAND.items():
        _add(
            kinds.add_parser(name, help=each.help, description=f"{each.help[:1].upper()}{each.help[1:]}."),
            each,
            argument,
        )


def _add(parser: argparse.ArgumentParser, probe: Probe, argument: Argument) -> None:
    usual = probe.default_port
    parser.add_argument("host", type=argument(host), metavar="HOST", help="a name or an address")
    if usual is None:
        parser.add_argument("port", type=argument(port), metavar="PORT")
    else:
        parser.add_argument("port", type=argument(port), metavar="PORT", nargs="?", help=f"without it {usual}")
    parser.add_argument(
        "--count", type=argument(whole(1, 1_000_000)), default=1, metavar="N", help="number of probes (1)"
    )
    parser.add_argument(
        "--interval", type=argument(seconds(0, 3600)), default=1.0, metavar="S", help="seconds between two probes (1)"
    )
    parser.add_argument(
        "--timeout", type=argument(seconds(0.001, 3600)), metavar="S", help="seconds for each probe (TEST_TIMEOUT)"
    )
    for each in declared(probe.options):
        switch: dict[str, Any] = {"nargs": "?", "const": "true"} if each.kind.schema.get("type") == "boolean" else {}
        parser.add_argument(
            flag_of(each.key),
            dest=f"option {each.key}",
            action="append",
            metavar=each.fields[-1].upper(),
            help=f"{each.help}; {each.kind.allowed}".replace("%", "%%"),
            **switch,
        )


def flag_of(key: str) -> str:
    """Return the flag of an option: `--expect-status` for `expect.status`."""
    words = "".join(f"-{each.lower()}" if each.isupper() else each for each in key.replace(".", "-"))
    return f"--{words}"


def target_of(chosen: argparse.Namespace) -> Target:
    """Return the target that the arguments name. Raises ValueError with all mistakes in its options.

    A flag that is given more than once adds a line to its option.
    """
    probe, prefix = BY_HAND[chosen.probe], "option "
    texts = {
        name.removeprefix(prefix): "\n".join(values)
        for name, values in vars(chosen).items()
        if name.startswith(prefix) and values is not None
    }
    options = of_texts(probe.options, texts) if texts else None  # without any an echo is asked as a round asks it
    number: int = chosen.port or probe.usual_port(options) or 0  # a probe without a usual port needs one
    return Target(chosen.probe, chosen.host, number, service_path(chosen.host, number), options)
