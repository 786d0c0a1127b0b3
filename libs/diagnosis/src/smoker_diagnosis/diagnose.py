"""Compute findings from the states of all probers, for one look.

states ─▶ evidence ─▶ hard faults ─▶ loss ─▶ Services and DNS ─▶ rules (silent probers, nodes that left, …) ─▶ findings
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec

from smoker_diagnosis import name
from smoker_diagnosis.component import INTO, NODE, OUT_OF
from smoker_diagnosis.evidence import Prober
from smoker_diagnosis.finding import Finding, is_sure
from smoker_diagnosis.gather import Evidence
from smoker_diagnosis.look import look_at
from smoker_diagnosis.moved import stays
from smoker_diagnosis.news import News
from smoker_diagnosis.resolvers import LAYER_REPLICA
from smoker_diagnosis.rules import RULES
from smoker_diagnosis.state import State


def diagnose(
    states: Iterable[State],
    waited: Mapping[Prober, float] | None = None,
    *,
    silent: Mapping[Prober, float] | None = None,
    down: Mapping[str, int] | None = None,
    evidence: Evidence | None = None,
    leaves: Callable[[str], bool] = stays,
    news: Mapping[Prober, News] | None = None,
) -> list[Finding]:
    """Return the findings, the most severe first; none in a healthy mesh.

    `waited`: by node and network, the age of a state in seconds, if it was not fetched just now.
    `silent`: by node and network, seconds since that prober was first asked in vain, where the caller keeps count; then
    a prober that has been silent for less than a round is not named, and that a peer reached it before does not count.
    `down`: by node that Kubernetes reports as not ready, and none of whose probers answers the caller: how many.
    `leaves(node)`: whether pods leave that node, because it is drained or gone: that explains a Service which fails.
    `evidence`: what an earlier look kept of the same states; pass the same object to each look to save time.
    `news`: by node and network, `news_of` the state before and this one, where the caller has compared them already.
    """
    listed = list(states)
    cluster = next((state.cluster for state in listed if state.cluster), "")
    mesh = (evidence or Evidence()).mesh(listed, waited, leaves, news)
    if silent is not None:
        patience = max((state.interval + state.timeout for state in listed), default=0.0)
        known = {prober: silent.get(prober, 0.0) for prober in mesh.silent}
        mesh.silent = {prober: seconds for prober, seconds in known.items() if seconds > patience}
    mesh.down = down or {}
    look = look_at(mesh, cluster)
    found = [name.of_blamed(look, each) for each in look.blamed]
    if found and look.following:
        found[0] = msgspec.structs.replace(found[0], follows=len(look.following))
    found += [name.of_loss(look, each) for each in look.lossy if not each.healed]
    found += [name.of_service(look, each) for each in look.services]
    look.named.update(node for each in found for node in _blamed_nodes(each))
    for rule in RULES:
        more = list(rule(look))
        found += more
        look.named.update(node for each in more if each.kind == "not_ready" for node in each.scope.nodes)
    return [_mild(each) for each in found if not _is_eviction(each, mesh.evicted)]


def _mild(finding: Finding) -> Finding:
    """Return the finding as a warning where its one place is not sure."""
    if finding.severity != "critical" or finding.one_of or is_sure(finding):
        return finding
    return msgspec.structs.replace(finding, severity="warning")


def _is_eviction(finding: Finding, evicted: Collection[str]) -> bool:
    """Return whether pods that leave a node explain `finding`: the cluster's DNS pods leave it, too."""
    if finding.kind == "dns":
        return bool(evicted)
    return finding.kind == "service" and any(not finding.probes or probe in finding.probes for probe in evicted)


def _blamed_nodes(finding: Finding) -> tuple[str, ...]:
    if finding.layer == LAYER_REPLICA:  # a pod that happens to run there
        return ()
    return finding.scope.nodes if finding.scope.kind in (NODE, INTO, OUT_OF) else ()
