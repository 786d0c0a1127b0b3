"""The arguments of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from smoker_common.kinds import InvalidValue, Kind, host_and_port, seconds
from smoker_prober import probe_arguments
from smoker_prober.settings import described

PROGRAM = "smoker-prober"
USUAL = -1.0  # `--wait` without a number
ALL_GOOD, FAILED, MISTAKE = 0, 1, 2  # exit codes


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    made = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Probes a network over TCP, UDP and HTTP and reports what it finds.",
        epilog="exit codes: 0 all good, 1 a probe failed or something is at fault, "
        "2 settings or arguments wrong, no prober or hub answers, or stdout cannot be written, "
        "141 the reader of stdout is gone, 143 SIGTERM\n\n"
        f"Environment variables:\n{described()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"{PROGRAM} {version(PROGRAM)}")
    commands = made.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser(
        "run", help="run one round at once, then one every TEST_INTERVAL seconds; print one line per result"
    )
    once = commands.add_parser(
        "once", help="run one round and print it as a table; the exit code is 0 if every probe succeeds"
    )
    once.add_argument(
        "--settle",
        type=_argument(seconds(0, 3600)),
        default=0.0,
        metavar="S",
        help="first repeat rounds until every probe has succeeded once, for at most S seconds (0)",
    )
    once.add_argument(
        "--mesh",
        type=_argument(host_and_port),
        action="append",
        default=[],
        metavar="HOST:PORT",
        help="read the states of all probers behind this admin port and name the fault; may be given more than once",
    )
    once.add_argument(
        "--hub",
        type=_argument(host_and_port),
        metavar="HOST:PORT",
        help="ask the hub, which reads all probers, what is at fault",
    )
    once.add_argument(
        "--hub-auth",
        metavar="FOLDER",
        help="with --hub: the folder with the file token, or username and password, if the hub needs a login",
    )
    once.add_argument(
        "--wait",
        nargs="?",
        type=_argument(seconds(0, 3600)),
        const=USUAL,
        metavar="S",
        help="with --mesh or --hub: ask again until all is good or a fault is certain, for S seconds at most "
        "(without S: for some rounds)",
    )
    once.add_argument(
        "--tolerate",
        action="append",
        default=[],
        choices=("loss",),
        help="with --mesh or --hub: show packet loss and the paths that fail because of it, but do not fail",
    )
    once.add_argument("--no-targets", action="store_true", help="probe the echo services only, no external targets")
    once.add_argument("--json", action="store_true", help="print JSON")
    shown = commands.add_parser("report", help="print the last hour of each path, from the prober on this machine")
    shown.add_argument("--json", action="store_true", help="print JSON")
    check = commands.add_parser("check", help="print the mistakes in a plan with their lines, or what it would probe")
    check.add_argument("file", metavar="FILE", help="the file, or - for stdin")
    probe_arguments.add_to(commands, _argument)
    return made


def _argument(kind: Kind) -> Callable[[str], Any]:
    """Return `kind` as an argparse type."""

    def convert(text: str) -> Any:
        if not text:  # an empty variable is an unset one; an empty argument is a mistake
            raise argparse.ArgumentTypeError(f"{text!r} is not {kind.allowed}")
        try:
            return kind(text)
        except InvalidValue as unfit:
            raise argparse.ArgumentTypeError(f"{text!r} is not {unfit}") from unfit

    return convert
