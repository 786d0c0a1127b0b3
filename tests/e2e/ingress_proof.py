"""The hub by a real ingress controller, with TLS and a login: `make e2e-ingress` (needs Go).

Contour and Envoy run on this machine, beside the cluster: they read the API server by the current kubeconfig, and reach
the pods by their addresses. So the cluster must be one whose pods this machine reaches, such as the lab.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from tests.conftest import free_port
from tests.e2e.cluster import eventually, fresh_namespace, kubectl
from tests.e2e.release import FAST, Release
from tests.hub_page.conftest import CHROMIUM, opened
from tests.prober.probes.pki import Authority

pytestmark = pytest.mark.cluster

HOST = "smoker.test"
CLASS = "smoker-proof"
USER, PASSWORD = "team", "only-for-this-test"
LOGIN = urllib3.make_headers(basic_auth=f"{USER}:{PASSWORD}")


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[int]:
    """Run Contour and Envoy for as long as the test. Yield the port of loopback at which Envoy takes TLS."""
    crds = os.environ["CONTOUR_CRDS"]
    xds, probe, admin, ready, http, https = (free_port() for _ in range(6))
    bootstrap = tmp_path / "envoy.json"
    contour = os.environ["CONTOUR"]
    kubectl("apply", "--server-side", "--filename", crds)
    serve = [contour, "serve", "--kubeconfig", os.environ["KUBECONFIG"], "--disable-leader-election", "--insecure"]
    serve += ["--xds-address=127.0.0.1", f"--xds-port={xds}", "--http-address=127.0.0.1", f"--http-port={probe}"]
    serve += ["--health-address=127.0.0.1", f"--health-port={probe}", "--debug-http-address=127.0.0.1"]
    serve += [f"--debug-http-port={free_port()}", "--stats-address=127.0.0.1", f"--stats-port={ready}"]
    serve += ["--envoy-service-http-address=127.0.0.1", f"--envoy-service-http-port={http}"]
    serve += ["--envoy-service-https-address=127.0.0.1", f"--envoy-service-https-port={https}"]
    serve += [f"--ingress-class-name={CLASS}", "--accesslog-format=envoy"]
    begin = [contour, "bootstrap", str(bootstrap), "--xds-address=127.0.0.1", f"--xds-port={xds}"]
    begin += [f"--admin-address={tmp_path / 'admin.sock'}", f"--admin-port={admin}"]
    try:
        subprocess.run(begin, check=True, timeout=30)
        log = (tmp_path / "log").open("wb")
        with log, subprocess.Popen(serve, stdout=log, stderr=log) as one:
            line = [str(Path(sys.executable).with_name("envoy")), "--config-path", str(bootstrap)]
            line += ["--service-node", "proof", "--service-cluster", "proof", "--concurrency", "1"]
            with subprocess.Popen([*line, "--base-id", str(os.getpid())], stdout=log, stderr=log) as other:
                yield https
                other.terminate()
            one.terminate()
    finally:
        kubectl("delete", "--wait=false", "--ignore-not-found", "--filename", crds)
        print((tmp_path / "log").read_text(errors="replace")[-4000:])


@pytest.fixture
def release(images: dict[str, object], helm: str, nodes: set[str], tmp_path: Path) -> Iterator[Release]:
    """A release whose page is at https://smoker.test/ for those with a login."""
    both = Authority(tmp_path / "ca").issue("page", san=f"DNS:{HOST}")
    key = both.with_suffix(".key").read_text()
    with fresh_namespace() as namespace:
        for name, kind, data in (
            ("page-tls", "kubernetes.io/tls", {"tls.crt": both.read_text().removesuffix(key), "tls.key": key}),
            ("hub-auth", "Opaque", {"username": USER, "password": PASSWORD}),
        ):
            secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}
            namespace.create({**secret, "type": kind, "stringData": data})
        ingress = {"enabled": True, "className": CLASS, "hosts": [HOST]}
        ingress["tls"] = [{"secretName": "page-tls", "hosts": [HOST]}]
        values = {"hub.auth.existingSecret": "hub-auth", "hub.ingress": ingress}
        made = Release("smoker", namespace, helm, {**FAST, **images, **values})
        made.install()
        made.becomes("success", nodes)
        yield made


def test_the_page_the_api_and_the_stream_pass_an_ingress(release: Release, controller: int, tmp_path: Path) -> None:
    """With TLS by the certificate of the Ingress; without a login there is only a 401, and a browser shows the page."""
    pool = urllib3.HTTPSConnectionPool(
        "127.0.0.1",
        controller,
        ca_certs=str(tmp_path / "ca" / "ca.pem"),
        server_hostname=HOST,
        assert_hostname=HOST,
        retries=False,
        timeout=20.0,
    )
    host = {"Host": HOST}

    def refused() -> None:
        try:
            answer = pool.request("GET", "/", headers=host)
        except urllib3.exceptions.HTTPError as error:
            raise AssertionError(error) from None
        assert (answer.status, "Basic" in answer.headers.get("WWW-Authenticate", "")) == (401, True)

    eventually("the ingress controller knows the hub", 60, refused)
    summary = json.loads(pool.request("GET", "/api/v1/summary", headers=host | LOGIN).data)
    assert summary["state"] == "healthy", summary
    stream = pool.request("GET", "/api/v1/stream", headers=host | LOGIN, preload_content=False)
    kinds = [line for line in _lines(stream, 200) if line.startswith(b"event: ")]
    assert kinds[0] == b"event: snapshot"
    assert b"event: summary" in kinds
    stream.close()
    _opens(controller, "probers work")


def _lines(stream: urllib3.BaseHTTPResponse, most: int) -> Iterator[bytes]:
    """Yield lines of a stream of events until a look of the hub was told."""
    for _ in range(most):
        line = stream.readline().strip()
        yield line
        if line == b"event: summary":
            return


def _opens(port: int, words: str) -> None:
    """Open the page in Chromium, which must show `words`, and neither an error nor a violation of its CSP."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  not everybody has it

    there = f"--host-resolver-rules=MAP {HOST} 127.0.0.1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", there])
        options = {"ignore_https_errors": True, "http_credentials": {"username": USER, "password": PASSWORD}}
        with opened(browser, **options) as tab:
            tab.page.goto(f"https://{HOST}:{port}/")
            tab.page.wait_for_selector(f"h1:has-text('{words}')")
        browser.close()
