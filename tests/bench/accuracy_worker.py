"""The prober under measurement as a process: its own, unchanged probes, commanded by stdin.

It writes `ready` after its imports and one answered probe of each kind, so that a quota set then affects only probes.
It writes its results when all are known.
"""

from gevent import monkey

monkey.patch_all()

import socket
import sys
from typing import Any

import gevent

from smoker_prober.network.resolve import Address
from smoker_prober.probes import dns_options, run, tls
from smoker_prober.probes.followups import train
from smoker_prober.target import Target, service_path

from .accuracy_job import GO, NAME, Job, Probed

#: By probe, the phases that last as long as the exchange whose RTT it reports.
CLOCKED = {"tcp": ("connect",), "udp": ("send", "wait"), "dns": ("send", "wait"), "tls": ("connect",)}


def probe(job: Job, address: str) -> Probed:
    """Run one probe or one train."""
    return _train(job, address) if job.probe == "train" else _probe(job, address)


def _options(job: Job) -> Any:
    if job.probe == "dns":
        return dns_options.Options(name=NAME)
    return tls.Options(server_name=NAME.removesuffix("."), ca=job.ca) if job.probe == "tls" else None


def _probe(job: Job, address: str) -> Probed:
    target = Target(job.probe, address, job.port, service_path(address, job.port), _options(job))
    result = run(target, "bench", job.timeout)
    return Probed(
        address,
        str(result.outcome),
        result.duration,
        sum(result.phases.get(name, 0.0) for name in CLOCKED[job.probe]),
        (result.rtt.seconds,) if result.rtt is not None else (),
        str(result.rtt.method) if result.rtt is not None else "",
        error=result.error,
    )


def _train(job: Job, address: str) -> Probed:
    target = Address(socket.AF_INET, (address, job.port))
    found = train.run(target, job.packets, job.spread, job.timeout)
    if found is None:
        return Probed(address, "refused")
    error = f"lost {found.lost}, delayed {found.delayed}" if found.lost or found.delayed else ""
    return Probed(address, "success", rtts=found.rtts, method="stamp", sent=found.sent, error=error)


def main() -> int:
    """Run the job."""
    job = Job.loads(sys.stdin.readline())
    first, *rest = job.addresses
    warm = probe(job, first)
    print("ready" if warm.outcome == "success" else f"{job.probe}: {warm.outcome} {warm.error}", flush=True)
    if sys.stdin.readline() != GO:
        return 1
    done: list[Probed] = []
    for begin in range(0, len(rest), job.together):
        greenlets = [gevent.spawn(probe, job, address) for address in rest[begin : begin + job.together]]
        done += [greenlet.get() for greenlet in greenlets]
        gevent.sleep(job.pause)
    sys.stdout.writelines(probed.dumps() for probed in done)
    return 0


if __name__ == "__main__":
    sys.exit(main())
