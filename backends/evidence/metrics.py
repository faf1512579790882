"""Every number of a map that the literature asks for, beside the receipt: each with its control where it has one.

They decide nothing by themselves: infidelity and sensitivity have no scale of their own, completeness certifies the
integration, and stability holds of a constant, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backends.evidence import attribution_receipt
from backends.evidence.cells import Places
from backends.evidence.controls import rank
from backends.evidence.measures import curves, eraser, infidelity, stability
from backends.evidence.replacement_values import replacements
from backends.evidence.verdict import OWN
from backends.models.base import Model
from backends.results import Result

if TYPE_CHECKING:
    from backends.methods.base import Step


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


def numbers(
    model: Model, result: Result, raw: Any = None, *, target: Any = OWN, replacement: str = "", seed: int = 0,
    step: Step | None = None,
) -> list[Number]:  # fmt: skip
    """The numbers of a map, from the input's bank, two further maps for stability and four for sensitivity.

    Arguments are those of `receipt`. Raises `Refused`.
    """
    step = step or (lambda fraction: None)
    attribution, wanted = attribution_receipt.mapped(result), result.request.get("target") if target is OWN else target
    with model.lock:
        batch = attribution_receipt.encoded(model, result, raw)
        places = Places(batch)
        values = places.of(attribution)
        made = attribution_receipt._Making(model, batch, model.target(wanted, batch), places, 1, seed, step)
        bank = made.bank(replacement or replacements(model, batch)[0])
        found = [*_by_curves(bank, values), _infidelity(bank, values)]
        step(0.5)
        if not places.pictured:
            found += _by_words(bank, values)
        same = stability.line(model, batch, result, wanted, seed)
        step(0.7)
        found.append(
            Number("stability", same.value or 0.0, "rank correlation", "higher", same.control, None, same.sentence)
        )
        worst = stability.sensitivity(model, batch, result, wanted)
        what = "the largest change of the map, relative to it, under noise of at most 0.02 in the features (captum)"
        found.append(Number("sensitivity", worst, "share of the map", "lower", None, None, what))
    step(1.0)
    return found


def _by_curves(bank: Any, values: Any) -> list[Number]:
    own, control = curves.curves(bank, values), curves.random_orders(bank)
    bounds = float(control.min()), float(control.max())
    unit = "score, mean over the curve"
    return [
        Number("deletion", own.deletion, unit, "lower", None, None, "the score while the brightest go first"),
        Number("insertion", own.insertion, unit, "higher", None, None, "the score while the brightest come first"),
        Number(
            "SRG", own.srg, unit, "higher", bounds, rank(own.srg, control), "insertion less deletion; random orders"
        ),
    ]


def _infidelity(bank: Any, values: Any) -> Number:
    about = infidelity.against_copies(bank, values)
    what = "how far what a mask removes of the map is from what it costs; copies of the map"
    return Number("infidelity", about["value"], "of the mean squared fall", "lower", about["control"], about["p"], what)


def _by_words(bank: Any, values: Any) -> list[Number]:
    said = {
        "comprehensiveness": ("higher", "the fall without the brightest words; copies of the map"),
        "sufficiency": ("lower", "the fall with only the brightest words; copies of the map"),
    }
    made = []
    for name, about in eraser.eraser(bank, values).items():
        better, what = said[name]
        made.append(Number(name, about["value"], "probability", better, about["control"], about["p"], what))
    return made
