"""The page of the hub: one sentence, then the findings, then the nodes. Made here, without a script."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from smoker_common.log import escaped
from smoker_hub.web.plain import date
from smoker_hub.web.views import Findings, Node, Prober, Summary, View

AGAIN = 10  # seconds after which the browser loads the page again
SHOWN = 50  # closed findings
NODES = 500
POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

STYLE = """\
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --paper: #fbfbfa; --card: #fff; --line: #d8dce0;
  --bad: #b42318; --warn: #8a5a00; --good: #1a7f4b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a2abb5; --paper: #14171a; --card: #1c2024;
  --line: #343a40; --bad: #ff8a7d; --warn: #f0b849; --good: #5fd38d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 64rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
header p { margin: 0; color: var(--soft); }
h1 { margin: .2rem 0 .3rem; font-size: 1.7rem; line-height: 1.25; }
h1.healthy { color: var(--good); } h1.faults { color: var(--bad); } h1.unclear, h1.blind { color: var(--warn); }
h2 { margin: 2.2rem 0 .6rem; font-size: 1.15rem; }
article { margin: .8rem 0; padding: .9rem 1.1rem; background: var(--card); border: 1px solid var(--line);
  border-left: .4rem solid var(--bad); border-radius: .4rem; }
article.warning, article.info { border-left-color: var(--warn); } article.closed { border-left-color: var(--line); }
h3 { margin: 0 0 .3rem; font-size: 1.05rem; overflow-wrap: anywhere; }
article p { margin: .15rem 0; overflow-wrap: anywhere; } .soft { color: var(--soft); font-size: .9rem; }
code { padding: .1rem .35rem; border: 1px solid var(--line); border-radius: .25rem;
  font: .88rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
.wide { overflow-x: auto; } table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); text-align: left; }
th { color: var(--soft); font-weight: 600; } td.number, th.number { text-align: right; }
.bad { color: var(--bad); font-weight: 600; }
a { color: inherit; } a:focus-visible { outline: .15rem solid; outline-offset: .15rem; }
"""


def page(summary: Summary, findings: Findings, nodes: Sequence[Node]) -> str:
    """Return the whole page."""
    return "".join(_page(summary, findings, nodes))


def _page(summary: Summary, findings: Findings, nodes: Sequence[Node]) -> Iterator[str]:
    title = f"{summary.sentence}, Smoker"
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="refresh" content="{AGAIN}"><meta name="viewport" content="width=device-width">'
    yield f'<title>{_plain(title)}</title><link rel="icon" href="data:,"><link rel="stylesheet" href="page.css"></head>'
    age = "before the first look" if summary.age is None else f"as of {summary.age:.0f} s ago"
    where = f"Smoker, cluster {_name(summary.cluster)}" if summary.cluster else "Smoker"
    yield f'<body><header><p>{where}</p><h1 class="{summary.state}">{_name(summary.sentence)}</h1>'
    answering = summary.probers - summary.silent
    yield f"<p>{answering} of {summary.probers} probers answer, {summary.paths} paths, {age}.</p></header><main>"
    yield "<h2>Open findings</h2>"
    yield "".join(map(_open, findings.open)) or "<p>None.</p>"
    if findings.recent:
        yield f"<h2>Closed</h2>{''.join(map(_closed, findings.recent[:SHOWN]))}"
    if nodes:
        yield '<h2>Nodes</h2><div class="wide"><table><thead><tr><th scope="col">Node<th scope="col">Zone'
        yield '<th scope="col">Network<th scope="col">Prober<th scope="col" class="number">Paths'
        yield '<th scope="col" class="number">Failing</tr></thead><tbody>'
        rows = [(node, prober) for node in nodes for prober in node.probers]
        yield from (_row(node, prober) for node, prober in rows[:NODES])
        yield "</tbody></table></div>"
        if len(rows) > NODES:
            yield f'<p class="soft">… and {len(rows) - NODES} more: <a href="api/v1/nodes">all of them</a>.</p>'
    yield '<p class="soft">As data: <a href="api/v1/summary">summary</a>, <a href="api/v1/findings">findings</a>, '
    yield '<a href="api/v1/nodes">nodes</a>.</p></main></body></html>\n'


def _open(found: View) -> str:
    since = f"Open since {date(found.opened)}" if found.opened is not None else "Not open yet"
    parts = [f'<article class="{found.finding.severity}"><h3>{_name(found.headline)}</h3>']
    parts += [f"<p>{_name(each)}</p>" for each in found.evidence]
    for each in found.next:
        command, _, about = each.partition("   ")
        parts.append(f"<p>Next: <code>{_name(command)}</code> {_name(about)}</p>")
    parts.append(f'<p class="soft">{since}, <a href="api/v1/findings/{found.id}">{found.id}</a></p></article>')
    return "".join(parts)


def _closed(found: View) -> str:
    closed = date(found.closed or found.last_seen)
    what = f"{_name(found.place)}: {_name(found.what)}"
    return (
        f'<article class="closed"><h3>{what}</h3><p class="soft">From {date(found.first_seen)} to {closed}, '
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
