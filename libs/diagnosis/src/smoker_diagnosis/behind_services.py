"""What is found already and may explain that a path to a Service or to the DNS fails.

It may be at the source of the path, or where the pods behind the Service are. A fault elsewhere explains nothing. Where
nobody knows on which nodes the pods are, they may be on any.
"""

from __future__ import annotations

from collections.abc import Collection

from smoker_diagnosis.by_loss import may_fail
from smoker_diagnosis.component import NODE
from smoker_diagnosis.evidence import DNS
from smoker_diagnosis.look import Look
from smoker_diagnosis.resolvers import is_service, node_of


class Explained:
    """The faults and the loss of one look, as far as they concern Services."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._named = {*look.named, *look.mesh.left}
        for cell in look.mesh.partial:  # some flows always fail on this path
            self._named |= {cell.source, cell.target}
        self._at: dict[int, tuple[bool, float]] = {}  # by bit: whether the pods may be at a fault, and their loss

    def explains(self, source: str, bit: int, times: int, *, paths: int = 1) -> bool:
        """Return whether it may explain that one of `paths` fails from `source` so many times in a row."""
        if bit not in self._at:
            places = self._places(bit)
            loss = max(map(self._look.loss_at, places), default=0.0)
            self._at[bit] = self._everywhere(bit) or any(map(self._is_faulty, places)), loss
        faulty, loss = self._at[bit]
        rate = max(loss, self._look.loss_at(source))
        return faulty or self._is_faulty(source) or may_fail(rate, times, paths)

    def _is_faulty(self, node: str) -> bool:
        return node in self._named or self._look.blames(node)

    def _everywhere(self, bit: int) -> bool:
        """Return whether the Service itself is named, from all nodes."""
        return any(each.bits & bit and each.scope.kind != NODE for each in self._look.services)

    def _places(self, bit: int) -> Collection[str]:
        """Return the nodes of the pods behind the Service, those that they left a moment ago among them."""
        mesh = self._look.mesh
        if bit == DNS:
            pods = {node_of(cell.target) for cell in mesh.resolvers if not is_service(cell)}
        else:
            pods = mesh.echoes.get(bit, set())
            pods = pods | mesh.moves[bit].before if pods and bit in mesh.moves else pods
        return pods or mesh.nodes
