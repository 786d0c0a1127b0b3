"""The API server as a target: its certificate, verified at the address at which pods ask it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from smoker_common.host import host
from smoker_prober.probes import tls
from smoker_prober.target import Path, Target

NAME = "kubernetes"
EVERY = 600.0  # seconds: a certificate lasts for months, and every node of the cluster asks for this one
CA = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"


def target(plane: str, environ: Mapping[str, str] = os.environ) -> Target | None:
    """Return the API server over `plane`, probed every ten minutes; None outside a cluster.

    Every client in a pod verifies its certificate for this address
    (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/).
    """
    where, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    try:
        path = Path("cluster", NAME, plane)
        return Target("tls", host(where), int(port), path, tls.Options(ca=CA), interval=EVERY)
    except ValueError:  # among them InvalidHost
        return None
