"""`probe KIND HOST [PORT]`: a command for each probe, with a flag for each of its options."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from smoker_prober.arguments import parser
from smoker_prober.cli import command
from smoker_prober.probe_arguments import flag_of, target_of
from smoker_prober.probes import PROBES, dns_options, http, tls
from smoker_prober.probes.options import declared
from tests.prober.targets import HOST

from .probes.pki import Authority, s_server


@pytest.mark.parametrize("kind", PROBES)
def test_every_option_is_a_flag(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The help of each kind names its options, and a host alone is enough where the probe has a usual port."""
    with pytest.raises(SystemExit):
        command(["probe", kind, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for option in declared(PROBES[kind].options):
        assert f"{flag_of(option.key)} " in said
        assert option.help in said
    usual = PROBES[kind].default_port
    target = target_of(parser().parse_args(["probe", kind, HOST, *([] if usual else ["9"])]))
    assert (target.probe, target.host, target.port, target.options) == (kind, HOST, usual or 9, None)


def test_flags_are_options() -> None:
    """A group's option, a list, a switch, and one that is given twice."""
    line = ["probe", "http", HOST, "--expect-status", "401", "--tls", "--headers", "A: b", "--headers", "C: d"]
    target = target_of(parser().parse_args(line))
    expect = replace(http.Options().expect, status=((401, 401),))
    assert target.options == http.Options(tls=True, headers=(("A", "b"), ("C", "d")), expect=expect)
    assert target.port == 443
    target = target_of(parser().parse_args(["probe", "dns", HOST, "--name", "x.example", "--type", "A,AAAA"]))
    assert target.options == dns_options.Options("x.example.", ("A", "AAAA"))
    target = target_of(parser().parse_args(["probe", "tls", HOST, "444", "--expiry-warning", "30d"]))
    assert (target.port, target.options) == (444, tls.Options(expiry_warning=30 * 86_400))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (["tls", HOST, "--min-version", "1.1"], "smoker-prober probe tls: minVersion='1.1' is not one of 1.2, 1.3"),
        (["tls"], "smoker-prober probe tls: the following arguments are required: HOST"),
        (["grpc", HOST], "smoker-prober probe grpc: the following arguments are required: PORT"),
        (["tcp", HOST, "1", "--path", "/"], "smoker-prober"),
        (
            ["tls", HOST, "0"],
            "smoker-prober probe tls: argument PORT: '0' is not a whole number from 1 to 65535",
        ),
    ],
)
def test_a_mistake_is_one_sentence(line: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It names the argument and what is allowed, in one line, and ends with 2."""
    try:
        code: object = command(["probe", *line])
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert said.err.splitlines()[-1].startswith(sentence)
    assert sentence == "smoker-prober" or len(said.err.splitlines()) == 1


def test_the_details_of_a_probe_are_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The details follow the lines: of a certificate its names, its chain and its date, trusted or not."""
    authority = Authority(tmp_path / "ca")
    with s_server(authority.issue("good")) as port:
        assert command(["probe", "tls", HOST, str(port), "--ca", str(authority.file)]) == 0
        trusted = capfd.readouterr().out
        assert command(["probe", "tls", HOST, str(port)]) == 1
        untrusted = capfd.readouterr().out
    for said in (trusted, untrusted):
        for row in ("subject: good", "issuer: smoker-test-ca", "names: 127.0.0.1", "not after: 2", "key: ec secp256r1"):
            assert f"\n{row}" in said
    assert "\ncause: unknown_ca\n" in untrusted


def test_help_is_generated_from_the_options() -> None:
    """The command line has no list of probes: no name of one stands in its source."""
    for name in ("arguments.py", "probe_arguments.py"):
        source = Path(parser.__code__.co_filename).with_name(name).read_text()
        texts = {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}
        assert not texts & PROBES.keys()
