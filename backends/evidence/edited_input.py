"""An input as somebody touched it: words or regions hidden, words swapped for others, and both answers.

What is hidden becomes what it becomes in a receipt. What is swapped makes another text, so its tokens may be more or
fewer; what is hidden in it stays hidden.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import Refused
from backends.evidence.replacement_values import MaskedInput
from backends.inputs.edits import Edits, swap

if TYPE_CHECKING:
    from torch import Tensor

    from backends.methods.base import Step
    from backends.models.base import Batch, Model

SHOWN = 6
"""Answers that are told of, those that are likeliest before or after."""


def answer(model: Model, raw: Mapping[str, Any], edits: Edits, replacement: str, step: Step) -> dict[str, Any]:
    """Both answers: `choices` (label, before, after), of a similarity `output` [before, after]; and whether it `flips`.

    Where nothing was touched, `image` is what the model saw of an image, as the address of a PNG: it may have been cut.
    Raises `Refused` where the model names no answer, or where an edit does not fit the input.
    """
    if "text" not in raw and (edits.hidden or edits.swapped):
        raise Refused("this input has no text: hide a region of its image")
    text, hidden = swap(str(raw.get("text", "")), edits)
    with model.lock:
        before = model.encode(raw)
        after = (
            model.encode({**{n: v for n, v in raw.items() if n not in ("ids",)}, "text": text})
            if edits.swapped
            else before
        )
        masked = MaskedInput(model, after, model.target(None, after), replacement, step)
        mask = _mask(after, hidden, edits.regions)
        features = masked.replace(mask) if mask.any() else masked.features
        if "pair" in model.offers:
            return _similarity(model, before, after, features)
        seen = {"image": _seen(before)} if before.image is not None and edits == Edits() else {}
        return {**_choices(model, before, after, features), **seen}


def _seen(batch: Batch) -> str:
    """The image that the model saw, (row, column[, channel]) uint8, as the address of a PNG of at most 256 pixels."""
    from PIL import Image

    pixels = np.asarray(batch.image, np.uint8)
    picture = Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels)
    picture.thumbnail((256, 256))
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _mask(batch: Batch, hidden: Sequence[tuple[int, int]], regions: Sequence[tuple[int, int, int, int]]) -> Tensor:
    """What is hidden of the features, (1, T, 1) or (1, 1, H, W) bool. Raises `Refused` where nothing can be."""
    import torch

    if batch.image is not None:
        if hidden:
            raise Refused("hide a region of the image: its captions are the answers and stay as they are")
        high, wide = batch.image.shape[:2]
        found = torch.zeros(1, 1, high, wide, dtype=torch.bool)
        for top, left, bottom, right in regions:
            found[0, 0, _pixels(top, bottom, high), _pixels(left, right, wide)] = True
        return found
    if regions:
        raise Refused("this input has no image: hide words of its text")
    if batch.spans is None:
        raise Refused("it is not known where the tokens of this input stand in its text, so none can be hidden")
    spans, free = np.asarray(batch.spans), ~np.asarray(batch.special)
    chosen = np.zeros(len(spans), bool)
    for start, end in hidden:
        touched = free & (spans[:, 0] < end) & (spans[:, 1] > start)
        if not touched.any():
            raise Refused(
                f"no token of this model stands at letters {start} to {end} of the text: there is nothing to hide"
            )
        chosen |= touched
    return torch.from_numpy(chosen)[None, :, None]


def _pixels(start: int, end: int, many: int) -> slice:
    """The pixels of `many` from `start` to `end` in thousandths: one at least."""
    first = min(round(start * many / 1000), many - 1)
    return slice(first, max(round(end * many / 1000), first + 1))


def _choices(model: Model, before: Batch, after: Batch, features: Tensor) -> dict[str, Any]:
    import torch

    first = model.predict(before, 1000)
    if not first:
        raise Refused(f"{model.name} names no answer here, so none can be compared")
    names = {choice.index: choice.label for choice in first}
    with torch.no_grad():
        left = model.probability(model.outputs(model.features(before), before)[0].float()).cpu().numpy()
        right = model.probability(model.outputs(features, after)[0].float()).cpu().numpy()
    likeliest = sorted(range(len(left)), key=lambda i: -max(left[i], right[i]))[:SHOWN]
    order = sorted(likeliest, key=lambda i: -left[i])
    return {
        "choices": [
            {"label": names[i] if i in names else model.name_of(i), "before": float(left[i]), "after": float(right[i])}
            for i in order
        ],
        "output": None,
        "flips": bool(
            ((left >= 0.5) != (right >= 0.5)).any() if model.multi_label else left.argmax() != right.argmax()
        ),
    }


def _similarity(model: Model, before: Batch, after: Batch, features: Tensor) -> dict[str, Any]:
    import torch

    with torch.no_grad():
        left = float(model.score(model.features(before), before, model.target(None, before))[0])
        right = float(model.score(features, after, model.target(None, after))[0])
    return {"choices": [], "output": [left, right], "flips": False}
