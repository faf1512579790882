"""The names of what can stand in for a hidden part of an input; `backends.evidence.replacement_values` makes them.

They stand here since a model's card lists them, and a card is made without any evidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backends.models.base import Model

SURROUNDINGS, NOISE, RESAMPLE = "surroundings", "noise", "resample"


def list_kinds(model: Model, is_image: bool) -> tuple[str, ...]:
    """Name what can stand in for hidden parts of an image, or of a text: the default first."""
    if not is_image:
        return (*model.stand_ins, RESAMPLE)
    resample = (RESAMPLE,) if any("image" in example for example in model.examples) else ()
    return (SURROUNDINGS, *resample, *model.stand_ins, NOISE)
