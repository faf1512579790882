"""Every number of a map that the literature asks for, beside the receipt: each with its control where it has one.

Which numbers there are is what is in `measures`. They decide nothing by themselves: infidelity and sensitivity have no
scale of their own, completeness certifies the integration, and stability holds of a constant, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backends.evidence.map_under_test import MapUnderTest
from backends.evidence.measure import list_measures
from backends.evidence.verdict import OWN
from backends.models.base import Model
from backends.results import Result

if TYPE_CHECKING:
    from backends.methods.base import Step

DRAWN = 0.2
"""How far the numbers are when the masked forwards are there."""


@dataclass(frozen=True)
class Number:
    """A number with its `control` (5 and 95 %), its `p` against it, and what it says; None where it has none."""

    name: str
    value: float
    unit: str
    better: str
    control: tuple[float, float] | None
    p: float | None
    what: str

    def plain(self) -> dict[str, Any]:
        """The number as JSON values."""
        return {**self.__dict__, "control": None if self.control is None else list(self.control)}


def compute_numbers(
    model: Model, result: Result, raw: Any = None, *, target: Any = OWN, replacement: str = "", seed: int = 0,
    step: Step | None = None,
) -> list[Number]:  # fmt: skip
    """The number of every measure that fits the map's input: see `measures`.

    Arguments are those of `receipt`. Raises `Refused`.
    """
    step = step or (lambda fraction: None)
    found = []
    with model.lock:
        tested = MapUnderTest(model, result, raw, target=target, replacement=replacement, seed=seed, step=step)
        measures = [each for each in list_measures("number").values() if tested.kind in each.inputs]
        for done, each in enumerate(measures):
            step(DRAWN + (1 - DRAWN) * done / len(measures))
            made = each.number(tested)
            found.append(
                Number(
                    each.title, made.value, each.unit, each.better, made.control, made.p, made.sentence or each.meaning
                )
            )
    step(1.0)
    return found
