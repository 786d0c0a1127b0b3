"""The command line: `run` until stopped, `once` for a report and an exit code, `report`, `probe` by hand."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

import gevent
from gevent.event import Event
from prometheus_client import CollectorRegistry

from smoker_common import log, service
from smoker_common.fetch import FetchError
from smoker_common.leave import INTERRUPTED, TERMINATED
from smoker_prober import report
from smoker_prober import settings as configuration
from smoker_prober.arguments import ALL_GOOD, FAILED, MISTAKE, PROGRAM, parser
from smoker_prober.assembly import Assembly
from smoker_prober.config.check import check
from smoker_prober.config.load import Loaded, load_file
from smoker_prober.peers.responder import never_answered
from smoker_prober.probe_arguments import target_of
from smoker_prober.probes import ECHOED, prepare
from smoker_prober.probes import run as run_probe
from smoker_prober.process import Process
from smoker_prober.samples import SAMPLES, application
from smoker_prober.settings import Settings
from smoker_prober.sinks import log as log_sink
from smoker_prober.snapshot import SNAPSHOT, fetch
from smoker_prober.store import Store
from smoker_prober.store.state import STATE

REPORT = 2.2  # seconds for the answer of the prober on this machine
BESIDE = (9464, 9467)  # admin ports of a prober on this machine: by default, and of `make run`


def command(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Return the exit code."""
    known = parser()
    chosen = known.parse_args(arguments)
    if chosen.command == "once" and (mistake := _mistake(chosen)):
        known.error(mistake)
    if chosen.command is None:
        known.print_help()
        return ALL_GOOD
    if chosen.command == "run":
        return _run()
    if chosen.command == "check":
        return _check(chosen.file)
    settings, problems = configuration.read(os.environ)
    if problems:
        service.report_problems(PROGRAM, problems)
        return MISTAKE
    log.configure(settings.plan.log_level, settings.process.log_format, results=sys.stdout, results_level="SUCCESS")
    # By default gevent answers Ctrl-C with a traceback from the event loop.
    interrupt = gevent.signal_handler(signal.SIGINT, gevent.kill, gevent.getcurrent(), KeyboardInterrupt)
    terminate = gevent.signal_handler(signal.SIGTERM, os._exit, TERMINATED)  # at once, in the middle of any wait
    try:
        if chosen.command == "once":
            from smoker_prober.once import once  # noqa: PLC0415  with the diagnosis: 2 MiB that `run` does not need

            return once(settings, chosen)
        if chosen.command == "report":
            return _report(settings, as_json=chosen.json)
        return _probe(settings, chosen)
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        interrupt.cancel()
        terminate.cancel()


def _mistake(chosen: argparse.Namespace) -> str:
    """Return which arguments of `once` do not go together, or an empty string."""
    if chosen.mesh and chosen.hub:
        return "--mesh and --hub do not go together: the hub asks all probers"
    if chosen.tolerate and not (chosen.mesh or chosen.hub):
        return "--tolerate goes with --mesh HOST:PORT or --hub HOST:PORT"
    if chosen.hub_auth and not chosen.hub:
        return "--hub-auth goes with --hub HOST:PORT"
    if chosen.wait is not None and not (chosen.mesh or chosen.hub):
        return "--wait goes with --mesh HOST:PORT or --hub HOST:PORT"
    return ""


def _check(file: str) -> int:
    """Print the mistakes in a plan, one per line, or what it would probe."""
    mistakes, lines = check(file, os.environ)
    for mistake in mistakes:
        print(log.escaped(mistake), file=sys.stderr)
    for line in lines:
        print(line)
    return MISTAKE if mistakes else ALL_GOOD


def _run() -> int:
    loaded: Loaded  # read by `read_plan`, before `build`
    store: Store  # made by `build`, before the admin port answers

    def read_plan(process: Process) -> tuple[str, ...]:
        nonlocal loaded
        loaded = load_file(os.environ, process.config_file)
        return loaded.problems

    def build(process: Process, sockets: service.Sockets, registry: CollectorRegistry) -> Assembly:
        nonlocal store
        assembly = Assembly(process, loaded, sockets, registry)
        store = assembly.store
        return assembly

    pages = {SNAPSHOT: lambda: store.snapshot().as_object}
    documents = {STATE: lambda: store.document()}  # noqa: PLW0108  the store is made later
    samples = {SAMPLES: application(lambda *path: store.samples(*path))}  # noqa: PLW0108
    served: dict[str, Any] = {"pages": pages, "documents": documents, "applications": samples}
    return service.run(PROGRAM, Process, build, results=sys.stdout, further=read_plan, **served)


def _report(settings: Settings, *, as_json: bool) -> int:
    host = next(iter(settings.process.listen_addresses), "127.0.0.1")
    failures = []
    for number in (settings.process.admin_port,) if os.environ.get("ADMIN_PORT") else BESIDE:
        try:
            snapshot = fetch(host, number, REPORT)
        except FetchError as failure:
            failures.append(str(failure))
        else:
            print(json.dumps(snapshot.as_object, indent=2) if as_json else report.windows(snapshot))
            return FAILED if any(path.failing for path in snapshot.paths) else ALL_GOOD
    service.report_problems(PROGRAM, [*failures, "ADMIN_PORT is the admin port of the prober that is asked"], "report")
    return MISTAKE


def _probe(settings: Settings, chosen: argparse.Namespace) -> int:
    try:
        target = target_of(chosen)
    except ValueError as mistakes:
        print(f"{PROGRAM} probe {chosen.probe}: {log.escaped(str(mistakes))}", file=sys.stderr)
        return MISTAKE
    prepare(target)
    found, pause = [], Event()
    timeout = chosen.timeout or settings.plan.timeout
    try:
        for number in range(chosen.count):
            if number:
                pause.wait(chosen.interval)
            found.append(run_probe(target, settings.process.node_name, timeout, never=never_answered(settings)))
            log_sink.write(found[-1], settings.plan.latency)
            if found[-1].error:
                print(log.escaped(found[-1].error), file=sys.stderr)
    except KeyboardInterrupt:
        print(file=sys.stderr)
    print(
        report.summary(found, settings.plan.latency),
        file=sys.stderr if settings.process.log_format == "json" else sys.stdout,
    )
    details = found[-1].details if found else None
    if details is not None and chosen.probe not in ECHOED and settings.process.log_format == "text":
        for each in details.shown:
            print(log.escaped(each))
    return ALL_GOOD if found and all(result.outcome.ok for result in found) else FAILED
