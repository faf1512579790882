"""One scale for several results, so that the same colour means the same number on each."""

from __future__ import annotations

from collections.abc import Sequence

from backends.results import Result
from viz.figures.scale import Scale, limits


def shared_scale(results: Sequence[Result]) -> Scale:
    """The scale that holds every result's main array: symmetric about zero if any of them is signed."""
    ends = [limits(r.arrays[r.main], r.signed) for r in results]
    low, high = min((e[0] for e in ends), default=0.0), max((e[1] for e in ends), default=1.0)
    if any(r.signed for r in results):
        most = max(abs(low), abs(high))
        return -most, most
    return low, high


def differences(results: Sequence[Result]) -> list[str]:
    """Sentences on why one scale may mislead: units, signs or targets that differ. Empty when it does not."""
    said = []
    for noun, values in (
        ("units", [r.unit or "no unit" for r in results]),
        ("signs", ["signed" if r.signed else "unsigned" for r in results]),
        ("targets", [r.target or "no target" for r in results]),
    ):
        if len(set(values)) > 1:
            each = ", ".join(f"{r.method.replace('_', ' ')} in {v}" for r, v in zip(results, values, strict=True))
            said.append(f"The {noun} differ ({each}): the shared scale compares numbers, not meanings.")
    return said
