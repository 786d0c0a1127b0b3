"""Sentences about a mesh as a whole, which `once --mesh`, `once --hub` and the hub's check share."""

from __future__ import annotations

from collections.abc import Sequence

from smoker_diagnosis.text.words import paths, verb

NO_RESULT = "no result yet"  # in place of an outcome


def not_whole(failing: int, waiting: int, missing: Sequence[str], count: int) -> str:
    """Return the first sentence about a mesh in which nothing is at fault, and that is not good.

    Of `count` paths the last probe of `failing` failed, and `waiting` have no result. `missing`: what else is missing,
    sentences without their full stop.
    """
    if failing:
        return f"UNCLEAR the last probe of {failing:,} of {paths(count)} failed: too little to name a fault"
    if waiting:
        return f"UNCLEAR {NO_RESULT} from {waiting:,} of {paths(count)}"
    return f"UNCLEAR {missing[0]}"


def whole_sentences(missing: Sequence[str], first: str) -> list[str]:
    """Return what is missing as whole sentences, without the one that the sentence `first` has."""
    return [f"{why[:1].upper()}{why[1:]}." for why in missing if why not in first]


def by_loss(count: int) -> str:
    """Return the sentence on `count` failing paths that packet loss explains."""
    return f"Packet loss explains {count:,} failing {verb(count, 'path', 'paths')}."
