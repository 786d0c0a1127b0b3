"""The document of the page: the sentence and the findings, made here.

A browser with scripts puts the live page (app/main.js) in its place. Without scripts, or where they fail, this is it.
It says of which moment it is, and a link loads it again. It does not load itself again: that would take the place from
those who read it with a screen reader or move in it with keys (WCAG 2.2.1).
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from smoker_common.log import escaped
from smoker_hub.web.page import files
from smoker_hub.web.plain import date
from smoker_hub.web.router import Parameter
from smoker_hub.web.views import Findings, Node, Prober, Summary, View

SHOWN = 50  # closed findings
NODES = 500
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
#: What the live page keeps in its address (app/route.js has the same list); the document is the same for all of it.
PARAMETERS = tuple(
    Parameter(name, "a filter of the page")
    for name in ("view", "name", "id", "from", "to", "plane", "family", "probe", "zone", "show", "at")
)
#: The types, which a browser never loads.
LATER = frozenset({"app/types.js"})


def document(summary: Summary, findings: Findings, nodes: Sequence[Node], looked: float | None) -> str:
    """Return the whole document. `looked`: the date of the last look, None before the first."""
    return "".join([*_head(summary), *_body(summary, findings, nodes, looked)])


def _head(summary: Summary) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
    yield f"<title>{_plain(summary.sentence)} · Smoker</title>"
    yield f'<link rel="icon" href="data:,"><link rel="stylesheet" href="{files.BASE}/app/page.css">'
    yield from (
        f'<link rel="modulepreload" href="{files.BASE}/{name}">'
        for name in files.FILES
        if name.endswith(".js") and name not in LATER
    )
    yield f'<script type="module" src="{files.BASE}/app/main.js"></script></head>'


def _body(summary: Summary, findings: Findings, nodes: Sequence[Node], looked: float | None) -> Iterator[str]:
    moment = "before the first look" if looked is None else f"as of {date(looked)}"
    where = f" {_name(summary.cluster)}" if summary.cluster else ""
    yield f'<body><div id="app"><header class="bar"><span class="brand">Smoker</span>{where}</header><main>'
    yield f'<h1 class="sentence {summary.state}">{_name(summary.sentence)}</h1>'
    answering = summary.probers - summary.silent
    yield f'<p class="soft facts">{answering} of {summary.probers} probers answer, {summary.paths} paths, {moment}. '
    yield '<a href="./">Load again</a></p>'
    yield "<h2>Open findings</h2>"
    yield "".join(map(_open, findings.open)) or "<p>None.</p>"
    if findings.recent:
        yield f"<h2>Closed</h2>{''.join(map(_closed, findings.recent[:SHOWN]))}"
    yield f"<noscript>{''.join(_nodes(nodes))}"
    yield '<p class="soft">As data: <a href="api/v1/summary">summary</a>, <a href="api/v1/findings">findings</a>, '
    yield '<a href="api/v1/nodes">nodes</a>.</p></noscript></main></div></body></html>\n'


def _nodes(nodes: Sequence[Node]) -> Iterator[str]:
    """Yield the table of all probers."""
    if not nodes:
        return
    yield '<h2>Nodes</h2><div class="wide" tabindex="0" role="region" aria-label="Nodes"><table class="plain">'
    yield '<thead><tr><th scope="col">Node<th scope="col">Zone<th scope="col">Network<th scope="col">Prober'
    yield '<th scope="col" class="number">Paths'
    yield '<th scope="col" class="number">Failing</tr></thead><tbody>'
    rows = [(node, prober) for node in nodes for prober in node.probers]
    yield from (_row(node, prober) for node, prober in rows[:NODES])
    yield "</tbody></table></div>"
    if len(rows) > NODES:
        yield f'<p class="soft">… and {len(rows) - NODES} more: <a href="api/v1/nodes">all of them</a>.</p>'


def _open(found: View) -> str:
    since = f"Open since {date(found.opened)}" if found.opened is not None else "Not open yet"
    parts = [f'<article class="card {found.finding.severity}"><h3>{_name(found.headline)}</h3>']
    parts += [f"<p>{_name(each)}</p>" for each in found.evidence]
    for each in found.next:
        command, _, about = each.partition("   ")
        parts.append(f'<p class="next"><code>{_name(command)}</code> {_name(about)}</p>')
    parts.append(f'<p class="soft">{since}, <a href="api/v1/findings/{found.id}">{found.id}</a></p></article>')
    return "".join(parts)


def _closed(found: View) -> str:
    closed = date(found.closed or found.last_seen)
    what = f"{_name(found.place)}: {_name(found.what)}"
    return (
        f'<article class="card closed"><h3>{what}</h3><p class="soft">From {date(found.first_seen)} to {closed}, '
        f'<a href="api/v1/findings/{found.id}">{found.id}</a></p></article>'
    )


def _row(node: Node, prober: Prober) -> str:
    silent = prober.state == "silent"
    word = f'<span class="bad">silent for {prober.silent_seconds:.0f} s</span>' if silent else "answers"
    failing = f'<span class="bad">{prober.failing}</span>' if prober.failing else "0"
    return (
        f'<tr><th scope="row">{_name(node.node)}<td>{_name(node.zone)}<td>{prober.network}<td>{word}'
        f'<td class="number">{prober.paths}<td class="number">{failing}</tr>'
    )


def _plain(text: str) -> str:
    """Return text as markup that shows it: what cannot be printed, bidirectional controls among it, as escapes."""
    return html.escape(escaped(text))


def _name(text: str) -> str:
    """Return the same, and whatever script it is in leaves what stands around it in its order."""
    return f"<bdi>{_plain(text)}</bdi>"
