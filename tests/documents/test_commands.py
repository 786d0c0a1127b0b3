"""The documents name only commands, options and files that exist."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from smoker_prober.arguments import parser
from tests.documents.test_links import PAGES
from tests.images.command import ROOT

NO_FILES = {"services/proxy"}  # a resource of the Kubernetes API, not a path


def code_of(page: Path) -> str:
    """Return what a page shows as code: blocks, indented lines and words in backticks, a line each."""
    text = page.read_text()
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"^ {4}\S.*$", text, re.MULTILINE), *re.findall(r"`([^`\n]+)`", text)])


@cache
def make_targets() -> set[str]:
    """Return every target of the Makefile."""
    lines = re.findall(r"^([a-z][a-z0-9 -]*):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return {target for line in lines for target in line.split()}


@cache
def prober_flags() -> dict[str, set[str]]:
    """Return the long options of `smoker-prober`, by its subcommand; those of `probe` are the ones of any kind."""
    return {name: set(_flags(each)) for name, each in _subcommands(parser()).items()}


def _subcommands(of: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    return {
        name: each
        for action in of._actions
        if isinstance(action, argparse._SubParsersAction)
        for name, each in action.choices.items()
    }


def _flags(of: argparse.ArgumentParser) -> Iterator[str]:
    for action in of._actions:
        yield from (flag for flag in action.option_strings if flag.startswith("--"))
    for each in _subcommands(of).values():
        yield from _flags(each)


@cache
def kubectl_commands() -> set[str]:
    """Return the commands that the help text of bin/kubectl-smoker lists."""
    return set(re.findall(r"^  ([a-z]+) .*  ", (ROOT / "bin/kubectl-smoker").read_text(), re.MULTILINE))


def mistakes(page: Path) -> list[str]:
    """Return the commands, options and files that a page names and that do not exist."""
    code, found = code_of(page), []
    found += [
        f"make {each}" for each in re.findall(r"\bmake ([a-z][a-z0-9-]*)\b(?!=)", code) if each not in make_targets()
    ]
    for name, rest in re.findall(r"\bsmoker-prober ([a-z]+)((?: [^\n|#&;`)]*)?)", code):
        if name not in prober_flags():
            found.append(f"smoker-prober {name}")
        else:
            found += [flag for flag in re.findall(r"(?<=\s)--[a-z-]+", rest) if flag not in prober_flags()[name]]
    for name in re.findall(r"\bkubectl[ -]smoker ([a-z]+)", code):
        if name not in kubectl_commands():
            found.append(f"kubectl smoker {name}")
    paths = re.findall(
        r"(?<![\w./-])(?:bin|charts|dev|docs|libs|services|tests)/[\w./-]*\w(?![\w*{<])", page.read_text()
    )
    for path in paths:
        if path not in NO_FILES and not (ROOT / path).exists() and not (page.parent / path).exists():
            found.append(path)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_command_option_and_file_exists(page: Path) -> None:
    """Each make target, subcommand, option and path that a page names exists."""
    assert mistakes(page) == []


def test_wrong_commands_are_noticed(tmp_path: Path) -> None:
    """Each name on a page that does not exist is a mistake: target, subcommand, option or file. The others are none."""
    page = tmp_path / "page.md"
    page.write_text(
        "`make nothing` and `make test`, `smoker-prober ask` and `smoker-prober once --mesh a:1 --never`.\n\n"
        "```\nkubectl smoker findings\nkubectl smoker guess\n```\n\ndocs/none.md and docs/hub.md\n"
    )
    assert mistakes(page) == [
        "make nothing",
        "smoker-prober ask",
        "--never",
        "kubectl smoker guess",
        "docs/none.md",
    ]
