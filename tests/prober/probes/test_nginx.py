"""The http, tls and websocket probes against nginx: HTTP/1.1, HTTP/2 by ALPN, gzip, and a page that is no WebSocket."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from smoker_prober.probes import http_options, run, tls, websocket
from smoker_prober.result import Outcome, Result
from smoker_prober.target import Path as PathTo
from smoker_prober.target import Target
from tests.conftest import eventually, free_port
from tests.prober.targets import HOST, NODE, PLENTY

from .pki import Authority

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
CONFIGURATION = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/log;
events {{ worker_connections 64; }}
http {{
  access_log off; keepalive_timeout 5s;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {certificate}; ssl_certificate_key {certificate};
  server {{
    listen {HOST}:{ports.plain};
    listen {HOST}:{ports.first} ssl;
    listen {HOST}:{ports.second} ssl http2;
    location = / {{ return 200 "fine, by $server_protocol $request_method $http_x_token"; }}
    location / {{ return 404; }}
    location = /moved {{ return 301 /; }}
    location = /down {{ return 503; }}
    location = /secret {{ if ($http_authorization != "Bearer right") {{ return 401; }} return 204; }}
  }}
}}
"""


class Ports(NamedTuple):
    """Of nginx: HTTP, HTTPS with HTTP/1.1 alone, HTTPS with HTTP/2."""

    plain: int
    first: int
    second: int


class Nginx(NamedTuple):
    """A running nginx, and the CA of its certificate."""

    ports: Ports
    ca: str

    def page(self, port: int, path: str = "/", **options: Any) -> Result:
        """Ask for a page, over TLS at each port but the plain one."""
        made = http_options.Options(path, tls=port != self.ports.plain, ca=self.ca, **options)
        return probed("http", port, made)


def probed(name: str, port: int, options: Any) -> Result:
    return run(Target(name, HOST, port, PathTo("external", "nginx", "other"), options), NODE, PLENTY)


@contextlib.contextmanager
def nginx_in(folder: Path) -> Iterator[Nginx]:
    """Run nginx with its files in `folder`."""
    authority = Authority(folder / "nginx-authority")
    ports = Ports(free_port(), free_port(), free_port())
    text = CONFIGURATION.format(folder=folder, certificate=authority.issue("nginx"), ports=ports, HOST=HOST)
    (folder / "nginx.conf").write_text(text)
    assert NGINX is not None
    process = subprocess.Popen([NGINX, "-p", folder, "-e", folder / "log", "-c", folder / "nginx.conf"])
    found = Nginx(ports, str(authority.file))
    try:
        eventually("nginx answers", lambda: found.page(ports.plain).outcome.ok)
        yield found
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    if NGINX is None:
        pytest.skip("nginx is not installed")
    with nginx_in(tmp_path_factory.mktemp("nginx")) as found:
        yield found


def test_a_page_over_http_1(nginx: Nginx) -> None:
    """Method, headers, status and body are as nginx says, with and without TLS."""
    expect = http_options.Expect(status=((200, 200),), body="^fine, by HTTP/1.1 GET token$")
    headers = (("X-Token", "token"),)
    for port in (nginx.ports.plain, nginx.ports.first):
        found = nginx.page(port, expect=expect, headers=headers)
        assert found.outcome is Outcome.SUCCESS, found.error
    assert found.fields["not_after"]


def test_http_2_by_alpn(nginx: Nginx) -> None:
    """nginx chooses HTTP/2 where it is offered; where it is required, a server without it is a TLS error."""
    expect = http_options.Expect(body="^fine, by HTTP/2.0 POST ")
    required = nginx.page(nginx.ports.second, version="2", method="POST", expect=expect)
    chosen = nginx.page(nginx.ports.second, version="any")
    older = nginx.page(nginx.ports.first, version="any")
    refused = nginx.page(nginx.ports.first, version="2")
    assert [required.outcome, chosen.outcome, older.outcome] == [Outcome.SUCCESS] * 3, required.error
    assert [each.fields.get("http_version") for each in (required, chosen, older)] == ["2", "2", None]
    assert refused.outcome is Outcome.TLS_ERROR
    assert "ALPN" in refused.error


def test_no_page_has_a_status(nginx: Nginx) -> None:
    """A redirect is a success of a URL, an error of the server or a wrong password is none, unless expected."""
    plain, right = nginx.ports.plain, (("Authorization", "Bearer right"),)
    found = [nginx.page(plain, path) for path in ("/moved", "/down", "/secret", "/missing")]
    assert [each.fields["status"] for each in found] == [301, 503, 401, 404]
    assert [each.outcome for each in found] == [Outcome.SUCCESS, *[Outcome.BAD_REPLY] * 3]
    assert nginx.page(plain, "/secret", headers=right).outcome is Outcome.SUCCESS
    assert nginx.page(plain, "/secret", expect=http_options.Expect(status=((401, 401),))).outcome is Outcome.SUCCESS


def test_a_page_that_is_no_websocket(nginx: Nginx) -> None:
    """nginx ignores the upgrade: a bad reply with the status of its page, over TLS, too."""
    for port in (nginx.ports.plain, nginx.ports.first):
        options = websocket.Options("/", tls=port != nginx.ports.plain, ca=nginx.ca)
        found = probed("websocket", port, options)
        assert (found.outcome, found.fields["status"]) == (Outcome.BAD_REPLY, 200)
        assert found.error.endswith("status 200 instead of 101 for a WebSocket at /")


def test_the_handshake(nginx: Nginx) -> None:
    """The tls probe shows version, protocol and certificate of nginx."""
    found = probed("tls", nginx.ports.second, tls.Options(ca=nginx.ca, alpn=("h2", "http/1.1")))
    assert found.outcome is Outcome.SUCCESS, found.error
    assert (found.fields["tls"], found.fields["alpn"], found.fields["subject"]) == ("1.3", "h2", "nginx")


def test_tls_to_a_port_without_it(nginx: Nginx) -> None:
    """nginx answers a handshake on its plain port by a page: a TLS error."""
    found = probed("tls", nginx.ports.plain, tls.Options(ca=nginx.ca))
    assert found.outcome is Outcome.TLS_ERROR
