"""The door of the evidence: which receipt a result gets. Loads no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backends.evidence.verdict import OWN, Receipt

if TYPE_CHECKING:
    from backends.methods.base import Step
    from backends.models.base import Model
    from backends.results import Result


def receipt(
    model: Model,
    result: Result,
    raw: Any = None,
    *,
    target: Any = OWN,
    replacement: str = "",
    effort: int = 1,
    seed: int = 0,
    word: str | int | None = None,
    step: Step | None = None,
) -> Receipt:
    """Test the map of `result` on `model`: does what it shows matter to the answer more than what it does not?

    Of a drawing (`daam`) the map of `word` is tested, by drawing without it: see `word_map_receipt`. Of an intervention
    (`effect` by layer and place), whether it stays with another corruption: see `patching_receipt`.

    `raw` is the input, where the result does not hold it whole (a picture that was resized, a text of exact tokens);
    `target` what was explained, if not what the result's request says. `replacement` names what stands in for hidden
    parts ("": the first of `replacements`), `effort` multiplies the samples ("test harder"), `seed` draws them. A map
    from elsewhere is tested by putting it into a result with `dataclasses.replace`. Raises `Refused`.
    """
    from backends.evidence import attribution_receipt, patching_receipt, word_map_receipt

    if "heat" in result.arrays and "word" in result.labels:
        return word_map_receipt.make(model, result, raw, word, step)
    if "effect" in result.arrays:
        return patching_receipt.make(model, result, raw, target, seed, step)
    return attribution_receipt.make(model, result, raw, target, replacement, effort, seed, step)
