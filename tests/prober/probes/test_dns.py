"""The DNS probe: its queries, the answers that count, and the outcome of each failure."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import dns.message
import dns.rdatatype
import dns.rrset
import pytest

from smoker_prober.config import targets as externals
from smoker_prober.config.targets import External
from smoker_prober.network import resolv_conf
from smoker_prober.probes import PROBES, run
from smoker_prober.probes.dns_options import Expect, Options
from smoker_prober.probes.options import Url
from smoker_prober.result import Method, Outcome
from smoker_prober.sinks import log
from smoker_prober.target import Target
from tests.prober.probes.name_server import NAME, UNBOUND, answer, look_up, serving, unbound
from tests.prober.probes.pki import Authority
from tests.prober.targets import ENOUGH, HOST, NODE, PLENTY, SHORT, Client, hearing
from tests.relay import refusing


def test_a_name_is_looked_up_over_udp() -> None:
    """The answers, their TTL, the server and the transport are in the result; the RTT is the kernel's."""
    with serving() as (port, asked):
        result = look_up(port)
    assert result.outcome is Outcome.SUCCESS, result.error
    assert (asked.udp, asked.tcp) == (["A"], [])
    shown = {key: result.fields.get(key) for key in ("server", "name", "transport", "rcode", "answers", "ttl")}
    assert shown == {
        "server": f"{HOST}:{port}",
        "name": NAME,
        "transport": "udp",
        "rcode": "NOERROR",
        "answers": "10.0.0.1,10.0.0.2",
        "ttl": 30,
    }
    assert result.rtt is not None
    assert result.rtt.method is Method.KERNEL
    assert 0 < result.rtt.seconds <= result.duration


def test_a_name_is_looked_up_over_tcp() -> None:
    """TCP by choice has the handshake's RTT; several types use one connection."""
    with serving() as (port, asked):
        result = look_up(port, transport="tcp", type=("A", "AAAA"))
    assert result.outcome is Outcome.SUCCESS, result.error
    assert (asked.udp, sorted(asked.tcp)) == ([], ["A", "AAAA"])
    assert result.fields["transport"] == "tcp"
    assert set(result.fields["answers"].split(",")) == {"10.0.0.1", "10.0.0.2", "fd00::1"}
    assert result.rtt is not None
    assert result.rtt.method is Method.TCP_INFO


def test_an_answer_that_was_cut_short_is_asked_for_over_tcp() -> None:
    """TC in an answer means TCP (RFC 7766 section 5), within the same probe and deadline."""
    with serving(udp=lambda query: answer(query, cut=True)) as (port, asked):
        result = look_up(port)
    assert result.outcome is Outcome.SUCCESS, result.error
    assert (asked.udp, asked.tcp) == (["A"], ["A"])
    assert (result.fields["transport"], result.fields["answers"]) == ("tcp", "10.0.0.1,10.0.0.2")


@pytest.mark.parametrize("rcode", ["SERVFAIL", "NXDOMAIN", "REFUSED"])
def test_an_error_of_the_server(rcode: str) -> None:
    """It is `resolve_error`, with the code in JSON, in the line and in words."""
    with serving(udp=lambda query: answer(query, rcode=rcode)) as (port, _):
        result = look_up(port)
    assert (result.outcome, result.error) == (Outcome.RESOLVE_ERROR, f"{rcode} for A of {NAME}")
    assert result.fields["rcode"] == rcode
    assert f"FAILED error=resolve_error rcode={rcode} target=ns" in log.line(result, 0.0)


def test_a_code_that_is_expected() -> None:
    """For a name that must not exist NXDOMAIN is a success, and an answer is not."""
    expect = Expect(rcode="NXDOMAIN")
    with serving(udp=lambda query: answer(query, rcode="NXDOMAIN")) as (port, _):
        assert look_up(port, expect=expect).outcome is Outcome.SUCCESS
    with serving() as (port, _):
        assert look_up(port, expect=expect).outcome is Outcome.RESOLVE_ERROR


def test_a_name_without_such_records() -> None:
    """NOERROR without a record is `resolve_error`, because a program would find nothing either."""
    with serving() as (port, _):
        result = look_up(port, type=("MX",))
    assert (result.outcome, result.error) == (Outcome.RESOLVE_ERROR, f"{NAME} has no MX record")


def test_one_of_two_types_is_enough() -> None:
    """If a name has addresses of one family only, the other type's empty answer is no failure."""
    with serving() as (port, _):
        assert look_up(port, type=("A", "MX")).outcome is Outcome.SUCCESS


def test_answers_that_are_expected() -> None:
    """All expected answers must be there, in any order and case; others may be there, too."""
    with serving() as (port, _):
        assert look_up(port, expect=Expect(answers=("10.0.0.2",))).outcome is Outcome.SUCCESS
        result = look_up(port, expect=Expect(answers=("10.0.0.2", "10.9.9.9")))
    assert result.outcome is Outcome.BAD_REPLY
    assert result.error == f"10.9.9.9 is not among the answers for {NAME}: 10.0.0.1,10.0.0.2"


@pytest.mark.parametrize("text", ["fd00::1", "FD00:0:0::1", "fd00:0000:0:0:0:0:0:1", "fd00::0.0.0.1"])
def test_an_expected_address_in_any_form(text: str) -> None:
    """An IPv6 address is expected in whatever form it is written."""
    with serving() as (port, _):
        result = look_up(port, type=("AAAA",), expect=Expect(answers=(text,)))
    assert result.outcome is Outcome.SUCCESS, result.error


def test_an_alias_is_followed() -> None:
    """The answers are those at the end of the aliases, and the TTL is the lowest of all."""

    def alias(query: dns.message.Message) -> bytes:
        made = dns.message.make_response(query)
        made.answer.append(dns.rrset.from_text(NAME, 5, "IN", "CNAME", "real.example."))
        made.answer.append(dns.rrset.from_text("real.example.", 60, "IN", "A", "10.0.0.7"))
        return made.to_wire()

    with serving(udp=alias) as (port, _):
        result = look_up(port)
    assert result.outcome is Outcome.SUCCESS, result.error
    assert (result.fields["answers"], result.fields["ttl"]) == ("10.0.0.7", 5)


def test_a_silent_server() -> None:
    """No answer before the deadline is `timeout`, and the details have query and server."""
    with serving(udp=lambda _query: None) as (port, _):
        result = look_up(port, timeout=SHORT)
    assert result.outcome is Outcome.TIMEOUT
    assert result.fields["server"] == f"{HOST}:{port}"
    assert "rcode" not in result.fields


@pytest.mark.parametrize("lost", ["A", "AAAA"])
def test_one_of_two_queries_of_one_socket_is_lost(lost: str) -> None:
    """The result names the type without an answer, and says that the other query of the socket had one."""

    def one(query: dns.message.Message) -> bytes | None:
        return None if query.question[0].rdtype == dns.rdatatype.from_text(lost) else answer(query)

    (other,) = {"A", "AAAA"} - {lost}
    with serving(udp=one) as (port, asked):
        result = look_up(port, type=("A", "AAAA"), timeout=ENOUGH)
    assert sorted(asked.udp) == ["A", "AAAA"]
    assert result.outcome is Outcome.TIMEOUT
    assert f"to {lost}; {other}, sent from the same socket, was answered" in result.error
    assert result.fields["unanswered"] == lost
    assert f"rcode=NOERROR unanswered={lost}" in log.line(result, 0.0)


def test_both_queries_leave_from_one_port() -> None:
    """The race needs two packets from one port, so the second query does not wait for an answer."""
    ports: list[int] = []

    def note(_sock: socket.socket, _data: bytes, client: Client) -> None:
        ports.append(client[1])

    with hearing(note) as port:
        look_up(port, type=("A", "AAAA"), timeout=ENOUGH)
    assert len(ports) == 2
    assert len(set(ports)) == 1


def _renumbered(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def _of_another_name(query: dns.message.Message) -> bytes:
    other = dns.message.make_query("evil.example.", "A", id=query.id)
    return answer(other)


@pytest.mark.parametrize(
    ("forged", "why"),
    [
        (lambda query: _renumbered(answer(query)), "got an answer with another ID"),
        (_of_another_name, "got an answer to another question"),
        (lambda query: query.to_wire(), "got a DNS message that is not an answer to a query"),
        (lambda _query: b"PING", "got 4 bytes, which are not a DNS message"),
    ],
)
def test_an_answer_to_something_else_does_not_count(forged: object, why: str) -> None:
    """Number and question must be the query's (RFC 5452 section 9.1); the probe waits for the right answer."""
    with serving(udp=forged) as (port, _):  # type: ignore[arg-type]
        result = look_up(port, timeout=ENOUGH)
    assert (result.outcome, result.error) == (Outcome.BAD_REPLY, f"wait: {why}")


def test_the_right_answer_counts_after_a_forged_one() -> None:
    """A forged answer before it, and a second copy after it, have no effect."""

    def both(sock: socket.socket, data: bytes, client: Client) -> None:
        right = answer(dns.message.from_wire(data))
        for each in (_renumbered(right), right, right):
            sock.sendto(each, client)

    with hearing(both) as port:
        assert look_up(port).outcome is Outcome.SUCCESS


def test_an_answer_from_another_address_does_not_count() -> None:
    """Only the queried server can answer: the kernel drops other datagrams."""

    def elsewhere(_sock: socket.socket, data: bytes, client: Client) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((HOST, 0))
            other.sendto(answer(dns.message.from_wire(data)), client)

    with hearing(elsewhere) as port:
        assert look_up(port, timeout=SHORT).outcome is Outcome.TIMEOUT


def test_nothing_listens() -> None:
    """ICMP port unreachable, and RST over TCP, are `refused`."""
    with refusing(socket.SOCK_DGRAM) as port:
        assert look_up(port).outcome is Outcome.REFUSED
    with refusing() as port:
        assert look_up(port, transport="tcp").outcome is Outcome.REFUSED


def test_a_connection_that_ends_before_the_answer() -> None:
    """Over TCP that is `bad_reply`."""
    with serving(tcp=lambda _query: None) as (port, _):
        result = look_up(port, transport="tcp")
    assert (result.outcome, result.error) == (Outcome.BAD_REPLY, "wait: the connection was closed before the answer")


@pytest.mark.parametrize(
    ("text", "host", "options"),
    [
        ("dns://10.96.0.10/web.example", "10.96.0.10", Options(NAME)),
        ("dns://10.96.0.10:5353/web.example.?type=AAAA", "10.96.0.10", Options(NAME, ("AAAA",))),
        ("dns://ns.example?type=A+AAAA&transport=tcp", "ns.example", Options("", ("A", "AAAA"), "tcp")),
        ("dns:///web.example?expect.answers=10.0.0.1", "10.9.9.9", Options(NAME, expect=Expect(answers=("10.0.0.1",)))),
        ("dns://", "10.9.9.9", Options()),
    ],
)
def test_a_target_by_url(monkeypatch: pytest.MonkeyPatch, text: str, host: str, options: Options) -> None:
    """A URL has the server (or the pod's own), the name and options.

    The target's name is the given one, or host:port.
    """
    monkeypatch.setattr(resolv_conf, "read", lambda: resolv_conf.ResolvConf(("10.9.9.9",), "cluster.local"))
    port = 5353 if ":5353" in text else 53
    assert externals.parse(f"ns={text}") == {"ns": External("dns", host, port, options)}
    assert list(externals.parse(text)) == [f"{host}:{port}"]


@pytest.mark.parametrize(
    "text",
    [
        "dns://h/a..b",
        "dns://h/-a",
        f"dns://h/{'a' * 64}",
        "dns://h/a?type=B",
        "dns://h/a?name=b",
        "dns://h/a?",
        "dns://h:0/",
        "dns://h/a/b",
        "dns://h/a?expect.rcode=OK",
        "dns://h/%0aa",
    ],
)
def test_a_url_that_is_refused(text: str) -> None:
    """No name, an unknown type or option, a repeated name, and no port are refused."""
    with pytest.raises(ValueError, match="dns"):
        externals.parse(text)


def test_the_name_of_the_cluster_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name the probe looks up the API server's, in the domain of resolv.conf."""
    names: list[str] = []

    def note(query: dns.message.Message) -> bytes:
        names.append(query.question[0].name.to_text())
        return answer(query)

    monkeypatch.setattr(resolv_conf, "read", lambda: resolv_conf.ResolvConf((HOST,), "k8s.example"))
    with serving(udp=note) as (port, _):
        result = run(Target("dns", HOST, port, look_up(port).target.path), NODE, PLENTY)
    assert result.outcome is Outcome.SUCCESS, result.error
    assert names[-1] == "kubernetes.default.svc.k8s.example."


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "search web.svc.cluster.test svc.cluster.test cluster.test\nnameserver 10.96.0.10\noptions ndots:5\n",
            (("10.96.0.10",), "cluster.test"),
        ),
        ("nameserver fd00::a\nnameserver 1.1.1.1\n", (("fd00::a", "1.1.1.1"), "cluster.local")),
        (
            "search svc.a\nsearch example.org\nnameserver what\n# nameserver 1.1.1.1\n",
            (("127.0.0.1",), "cluster.local"),
        ),
        ("", (("127.0.0.1",), "cluster.local")),
    ],
)
def test_resolv_conf(tmp_path: Path, text: str, found: tuple[tuple[str, ...], str]) -> None:
    """Servers are addresses, and the domain follows `svc.`; without them the resolver's defaults apply."""
    file = tmp_path / "resolv.conf"
    file.write_text(text)
    assert resolv_conf.read(file) == found
    assert resolv_conf.read(tmp_path / "missing") == (("127.0.0.1",), "cluster.local")


def test_a_prober_without_dns_targets_does_not_import_the_library() -> None:
    """dnspython takes memory and time, so it is imported only with such targets."""
    code = "import smoker_prober.__main__, sys; sys.exit('dns' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


@pytest.mark.skipif(UNBOUND is None, reason="unbound is not installed")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_unbound_is_understood(tmp_path: Path, transport: str) -> None:
    """unbound answers its configured names over both transports, and NXDOMAIN for others."""
    assert UNBOUND is not None
    with unbound(UNBOUND, tmp_path) as port:
        expect = Expect(answers=("10.0.0.1",))
        found = look_up(port, type=("A", "AAAA"), transport=transport, expect=expect)
        missing = look_up(port, name="other.example.", transport=transport)
    assert found.outcome is Outcome.SUCCESS, found.error
    assert set(found.fields["answers"].split(",")) == {"10.0.0.1", "10.0.0.2", "fd00::1"}
    assert missing.fields["rcode"] == "NXDOMAIN"


@pytest.mark.skipif(UNBOUND is None, reason="unbound is not installed")
def test_dns_over_tls(tmp_path: Path) -> None:
    """unbound answers over TLS; a certificate of another name or an unknown CA is a TLS error, plain DNS no answer."""
    assert UNBOUND is not None
    authority, other = Authority(tmp_path / "authority"), Authority(tmp_path / "other", "another-ca")
    ca = str(authority.file)
    with unbound(UNBOUND, tmp_path, authority.issue("resolver")) as port:
        found = look_up(port, type=("A", "AAAA"), transport="tls", ca=ca, expect=Expect(answers=("10.0.0.1",)))
        named = look_up(port, transport="tls", ca=ca, server_name="resolver.example")
        untrusted = look_up(port, transport="tls", ca=str(other.file))
        plain = look_up(port, transport="tcp", timeout=ENOUGH)
    assert found.outcome is Outcome.SUCCESS, found.error
    assert (found.fields["transport"], found.fields["rcode"]) == ("tls", "NOERROR")
    assert set(found.fields["answers"].split(",")) == {"10.0.0.1", "10.0.0.2", "fd00::1"}
    assert found.fields["not_after"]
    assert {"connect", "tls", "send", "wait"} <= found.phases.keys()
    assert found.rtt is not None
    assert [each.outcome for each in (named, untrusted)] == [Outcome.TLS_ERROR] * 2
    assert plain.outcome is not Outcome.SUCCESS


def test_tls_to_a_server_that_speaks_plain_dns() -> None:
    """A server that takes the handshake for a query ends the connection: the phase is tls, and nothing was asked."""
    with serving() as (port, asked):
        found = look_up(port, transport="tls", timeout=ENOUGH)
    assert found.outcome is not Outcome.SUCCESS
    assert found.error.startswith("tls: ")
    assert asked == ([], [])


def test_the_usual_port_over_tls() -> None:
    """A target without a port has 853 over TLS (RFC 7858), by its URL and by its options, and 53 otherwise."""
    assert PROBES["dns"].of_url(Url("dns", "h", query="transport=tls"))[0] == 853
    assert PROBES["dns"].of_url(Url("dns", "h", query="transport=tcp"))[0] == 53
    assert PROBES["dns"].usual_port(Options(transport="tls")) == 853
