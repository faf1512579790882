"""One map of one input with all that a measure may ask about it, read and drawn once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import Refused
from backends.evidence.cells import Cells
from backends.evidence.masked_forwards import MaskedForwards, get_masked_forwards
from backends.evidence.replacement_values import MaskedInput, list_replacements
from backends.evidence.verdict import OWN, SAMPLES
from backends.models.base import Batch, Model
from backends.results import Result

if TYPE_CHECKING:
    from backends.methods.base import Step

FEWEST = 4
"""Cells that an input must have to be tested."""
SAME_IMAGE = 3
"""Grey levels by which an image read again may differ from the one on the map."""


class MapUnderTest:
    """A map, its input and the masked forwards of that input.

    `values` (cell,) is the map, `masked` the answers to the input with random cells hidden, `asked_target` the target
    as it was asked for and `target` as it was understood. `effort` multiplies the samples, `seed` draws them. Whoever
    makes or asks one holds the model's lock. Raises `Refused` for a map that cannot be tested.
    """

    def __init__(
        self, model: Model, result: Result, raw: Any = None, *, target: Any = OWN, replacement: str = "",
        effort: int = 1, seed: int = 0, step: Step | None = None,
    ) -> None:  # fmt: skip
        attribution = get_map(result)
        self.model, self.result, self.effort, self.seed = model, result, effort, seed
        self.step = step or (lambda fraction: None)
        self.batch = encode_input(model, result, raw)
        self.asked_target = result.request.get("target") if target is OWN else target
        self.cells = Cells(self.batch)
        self.values = self.cells.read(attribution)
        self.replacements = list_replacements(model, self.batch)
        self.target = model.target(self.asked_target, self.batch)
        if self.cells.count < FEWEST:
            many = f"{self.cells.count} part{'' if self.cells.count == 1 else 's'}"
            raise Refused(f"the input has {many} that can be hidden; a test needs at least {FEWEST}")
        self._inputs: list[MaskedInput] = []
        self.masked = self.mask(replacement or self.replacements[0])

    @property
    def kind(self) -> str:
        """Whether the input is an "image" or a "text"."""
        return "image" if self.cells.is_image else "text"

    @property
    def forwards(self) -> int:
        """How many inputs went through the network for this map; kept answers cost none."""
        return sum(made.forwards for made in self._inputs)

    def mask(self, replacement: str, share: float = 1.0) -> MaskedForwards:
        """The masked forwards with this `replacement`, with `share` of the samples."""
        made = MaskedInput(self.model, self.batch, self.target, replacement, self.step)
        self._inputs.append(made)
        samples = SAMPLES[self.kind] + (0 if self.cells.is_image else self.cells.count)
        return get_masked_forwards(made, self.cells, self.seed, int(samples * share) * self.effort)


def get_map(result: Result) -> np.ndarray:
    """The map of a result. Raises `Refused` where it has none."""
    if "attribution" not in result.arrays:
        raise Refused(f"{result.method} has no map of its input to test; methods of the attribution page have one")
    return np.asarray(result.arrays["attribution"])


def encode_input(model: Model, result: Result, raw: Any) -> Batch:
    """The input that the map is of, from the result itself where `raw` is not given. Raises `Refused`."""
    image = result.arrays.get("image")
    text = result.facts.get("text")
    if raw is None:
        found = {"image": image} if image is not None else {"text": text}
        raw = found if image is not None or text is not None else None
    if raw is None:
        raise Refused("the result does not hold its input; give it as `raw`")
    batch = model.encode(raw)
    if image is not None:
        seen = batch.image
        same = seen.shape == image.shape and np.abs(seen.astype(int) - image.astype(int)).mean() <= SAME_IMAGE
        if not same:
            raise Refused("read again, this picture is not the one on the map; give the original as `raw`")
    elif text is not None and batch.text != text:
        raise Refused("the text given is not the one on the map; leave `raw` out, or give that text")
    return batch
