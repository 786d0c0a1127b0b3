"""Run a service from its settings to its exit.

settings and ports ─▶ build ─▶ start ─▶ ready … SIGTERM ─▶ not ready ─▶ LINGER s ─▶ no new work ─▶ GRACE s ─▶ exit 0
     └─ any mistakes: one sentence that lists all of them, exit 2

During LINGER a service answers clients that do not know yet that it stops, but it starts no work of its own.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from typing import TextIO, TypeVar

import gevent
from gevent.event import Event
from loguru import logger
from prometheus_client import CollectorRegistry

from smoker_common import admin, log, metrics, output
from smoker_common.host import sockaddr
from smoker_common.http import Application
from smoker_common.listen import bind_error_text, tcp_listener, udp_sockets
from smoker_common.settings import Declaration, ServiceSettings, declaration, describe, parse
from smoker_common.work import Work, WorkGroup

GRACE = 5.0  # seconds for requests and probes in flight at a stop
OK, MISTAKE = 0, 2  # exit codes
ADDRESS = "LISTEN_ADDRESS"

S = TypeVar("S", bound=ServiceSettings)
Sockets = dict[str, list[socket.socket]]  # by the settings field that declares the port
#: Returns the work that these settings and sockets describe, and registers its metrics.
Build = Callable[[S, Sockets, CollectorRegistry], Work]


class ConfigurationError(Exception):
    """The settings contradict each other, though each is valid: a sentence without its full stop. Raised by `build`."""


def open_ports(settings: ServiceSettings, unfit: Collection[str] = ()) -> tuple[Sockets, list[str]]:
    """Open each port that `settings` declares, except ports that are 0 and those whose variable is in `unfit`.

    Return the sockets, and a message for each port that cannot be opened.
    """
    sockets: Sockets = {}
    problems: list[str] = []
    if ADDRESS in unfit:
        return sockets, problems
    for address in settings.listen_addresses:
        try:
            sockaddr(address, 0)
        except OSError as error:  # once, not for each port
            problems.append(f"{ADDRESS}={address} cannot be listened on: {error.strerror}")
    if problems:
        return sockets, problems
    whose: dict[tuple[str, int], str] = {}
    for field in fields(settings):
        declared = declaration(field)
        if declared.listen is None or declared.variable in unfit:
            continue
        number = getattr(settings, field.name)
        if not number:
            continue
        other = whose.setdefault((declared.listen, number), declared.variable)
        if other != declared.variable:
            problems.append(f"{declared.variable}={number} is also {other}: they must differ")
            continue
        sockets[field.name], unopened = _opened(declared, number, settings.listen_addresses)
        problems += unopened
    return sockets, problems


def _opened(declared: Declaration, number: int, addresses: Sequence[str]) -> tuple[list[socket.socket], list[str]]:
    """Open a port on each of `addresses`, or on all addresses if empty. Return the sockets and error messages."""
    opened: list[socket.socket] = []
    problems = []
    for host in addresses or ("",):
        try:
            opened += [tcp_listener(host, number)] if declared.listen == "tcp" else udp_sockets(host, number)
        except OSError as error:
            where = f" on {host}" if len(addresses) > 1 else ""
            problems.append(f"{declared.variable}={number}{where} {bind_error_text(error)}")
    return opened, problems


def report_problems(program: str, problems: Sequence[str], what: str = "start") -> None:
    """Write all mistakes to stderr, in one sentence."""
    sys.stderr.write(f"{program}: cannot {what}: {'; '.join(problems)}.\n")
    sys.stderr.flush()


def run(
    program: str,
    settings_class: type[S],
    build: Build[S],
    *,
    environ: Mapping[str, str] = os.environ,
    results: TextIO | None = None,
    further: Callable[[S], Sequence[str]] = lambda _settings: (),
    pages: Mapping[str, admin.Page] | None = None,
    documents: Mapping[str, admin.Document] | None = None,
    applications: Mapping[str, Application] | None = None,
) -> int:
    """Run `build(settings, sockets, registry)` until SIGTERM or SIGINT, and return the exit code.

    `further` returns mistakes beside those of the variables, so that all are reported at once.

    `pages`, `documents` and `applications` are served on the admin port, by path.
    """
    stop, hurry = Event(), Event()

    def asked() -> None:
        (hurry if stop.is_set() else stop).set()  # a second signal skips LINGER

    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, asked)
    settings, problems = parse(settings_class, environ)
    sockets, refused = open_ports(settings, {problem.variable for problem in problems})
    wrong = list(dict.fromkeys([*problems, *further(settings), *refused]))
    if wrong:
        report_problems(program, wrong)
        return MISTAKE
    output.never_block()
    log.configure(settings.log_level, settings.log_format, results=results, fields=settings.log_fields)
    _raise_descriptor_limit()
    registry = metrics.registry(program)
    try:
        work = build(settings, sockets, registry)
    except ConfigurationError as mistake:
        report_problems(program, [str(mistake)])
        return MISTAKE
    checks: dict[str, admin.Check] = {
        "/livez": work.stuck,
        "/readyz": lambda: "stopping" if stop.is_set() else work.unready(),
    }
    others = {path: admin.page(what) for path, what in (pages or {}).items()}
    others |= {path: admin.document(what) for path, what in (documents or {}).items()}
    others |= applications or {}
    others["/metrics"] = metrics.application(registry)
    servers = WorkGroup(admin.servers(sockets["admin_port"], admin.application(checks, others), registry))
    servers.start()
    work.start()
    logger.info(f"{program} started", **_ports(settings))
    stop.wait()
    logger.info(f"{program} is stopping")
    begun = time.monotonic()
    work.retire()
    hurry.wait(settings.linger)
    work.close()
    cut = work.drain(GRACE)
    servers.close()
    servers.drain(0.0)
    log.sum_up()
    output.tell_dropped()
    logger.info(f"{program} stopped", cut=cut, seconds=round(time.monotonic() - begun, 3))
    return OK


def main(program: str, about: str, settings_class: type[S], build: Build[S]) -> int:
    """Run the command line of a service whose only argument is --help. Return the exit code."""
    arguments = sys.argv[1:]
    if arguments in (["-h"], ["--help"]):
        sys.stdout.write(f"usage: {program}\n\n{about}\n\nSet by environment variables:\n{describe(settings_class)}\n")
        return OK
    if arguments:
        report_problems(
            program, [f"it takes no arguments, but got {' '.join(arguments)!r}; --help lists its variables"]
        )
        return MISTAKE
    return run(program, settings_class, build)


def _ports(settings: ServiceSettings) -> dict[str, object]:
    ports = {f.name: port for f in fields(settings) if declaration(f).listen and (port := getattr(settings, f.name))}
    return {"address": ",".join(settings.listen_addresses) or "all", **ports}


def _raise_descriptor_limit() -> None:
    """Raise the limit of open descriptors to its maximum: the default is often 1,024, and each connection needs one."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
