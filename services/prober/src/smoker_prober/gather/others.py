"""What the other probers say of the mesh, asked one by one or through the hub: the first part of `once`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, TextIO

from smoker_common.fetch import FetchError
from smoker_prober.gather import hub, table
from smoker_prober.gather.ask import gather

LOSS = "loss"  # the kind of finding that can be tolerated
Place = tuple[str, int]  # host and port


class Answer(NamedTuple):
    """What they say. `fields`: for JSON. `mistakes`: why they could not be asked, `what` is what could not be done.

    `lossy`: whether packets are lost, which is tolerated.
    """

    ok: bool
    fields: Mapping[str, Any] = {}
    mistakes: Sequence[str] = ()
    what: str = ""
    lossy: bool = False


def ask(
    mesh: Sequence[Place],
    its_hub: Place | None,
    patience: float = 0.0,
    *,
    tolerated: Collection[str],
    credentials: str | None,
    out: TextIO,
) -> Answer:
    """Ask the probers behind `mesh`, or the hub if one is given, and write what they say to `out`.

    With `patience` ask again until all is good, for that many seconds at most. `tolerated`: kinds of findings that do
    not count. `credentials`: the folder of those that the hub wants.
    """
    if its_hub is not None:
        host, port = its_hub
        try:
            verdict = hub.ask(host, port, patience, credentials, tolerated)
        except FetchError as failure:
            return Answer(ok=False, mistakes=[str(failure)], what="ask the hub")
        print(verdict.as_text(), end="\n\n", file=out, flush=True)
        kinds = {each.finding.kind for each in verdict.findings}
        return Answer(verdict.ok, {"hub": verdict.as_object()}, lossy=LOSS in kinds.intersection(tolerated))
    gathered = gather(mesh, patience, tolerated=tolerated)
    if not gathered.states:
        return Answer(ok=False, mistakes=gathered.missing or ["no prober answers"], what="ask the probers")
    print(table.as_text(gathered), end="\n\n", file=out, flush=True)
    kinds = {each.kind for each in gathered.findings}
    return Answer(gathered.ok, {"mesh": table.as_object(gathered)}, lossy=LOSS in kinds.intersection(tolerated))
