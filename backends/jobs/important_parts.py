"""Which words or squares of an input matter at all, and which few of them decide: a trial and two minimal sets."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from backends.errors import Refused
from backends.evidence import regions, trial
from backends.evidence.regions import Regions
from backends.evidence.verdict import HARDEST
from backends.jobs.base import Job
from backends.methods.base import Step
from backends.models.base import Model
from backends.requests import ImportantParts
from backends.results import Result
from backends.store import Store

CONFIDENCE = 0.95
SEARCH = 60
"""Masked forwards that the search for minimal sets takes at most, about."""
RATES = 0.001, 0.5
LEASTS = 0.0, 0.5


def perform(model: Model, request: ImportantParts, store: Store, step: Step) -> Result:
    """Return the input's parts with what hiding each costs, and the minimal sets among the facts. Raises `Refused`."""
    rate, least = _bounded("rate", request.rate, *RATES), _bounded("least", request.least, *LEASTS)
    effort = int(_bounded("effort", request.effort, 1, HARDEST))
    start = time.perf_counter()
    counting = _Counting(step)
    raw, asked = store.get_input(request.input), (request.target, request.replacement, request.seed)
    with model.lock:
        made = regions.find_regions(model, raw, *asked, step=counting)
        counting.input, counting.of = made.masked.input, effort * regions.count_trials(made) + SEARCH
        found = regions.run_trial(made, rate, least, effort)
        sets = _sets(made, found.effect)
        without = _without(made, sets.get("flips"))
    low, high = interval(found)
    arrays = {
        "effect": found.effect, "low": low, "high": high, "p": found.p, "found": found.found.astype(np.uint8),
        **_where(made),
    }  # fmt: skip
    axes: dict[str, tuple[str, ...]] = dict.fromkeys(("effect", "low", "high", "p", "found"), ("part",))
    axes |= {"box": ("part", "edge")} if "box" in arrays else {"span": ("part", "edge")}
    seen = {"image": made.masked.input.batch.image, "without": without}
    pictures = {name: array for name, array in seen.items() if array is not None}
    axes |= dict.fromkeys(pictures, ("height", "width", "channel"))
    facts = {
        **sets, "text": made.masked.input.batch.text, "replacement": made.masked.input.kind, "trials": found.trials,
        "rate": rate, "least": found.least, "score": float(made.masked.whole[0]),
        "probability": _number(made.masked.whole[1]), "forwards": made.masked.input.forwards,
        "seconds": time.perf_counter() - start,
    }  # fmt: skip
    floats = {n: a.astype(np.float32) if a.dtype == np.float64 else a for n, a in (arrays | pictures).items()}
    return Result(
        "parts", floats, axes, {"part": made.names}, made.masked.input.target.unit, True,
        made.masked.input.target.words, facts, request.plain(),
    )  # fmt: skip


def _bounded(name: str, value: float, low: float, high: float) -> float:
    if not low <= value <= high:
        raise Refused(f"{name} must be a number from {low:g} to {high:g}, not {str(value)[:40]!r}")
    return float(value)


class _Counting:
    """A `step` that tells how many of the forwards are done; hiding calls it with 0 before each batch of them."""

    def __init__(self, step: Step) -> None:
        self.step, self.of = step, 1
        self.input: Any = None

    def __call__(self, fraction: float) -> None:
        done = self.input.forwards if self.input else 0
        self.step(min(done / self.of, 0.99))


def interval(found: trial.Trial) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % interval of each effect, (part,) each."""
    from scipy.stats import t

    half = t.ppf(0.5 + CONFIDENCE / 2, found.freedom) * found.error
    return found.effect - half, found.effect + half


def _where(made: Regions) -> dict[str, np.ndarray]:
    """Where each part is: `box` (part, edge), left, top, right and bottom from 0 to 1; or `span` (part, edge)."""
    cells = made.masked.cells
    if cells.is_image:
        rows, columns = cells.shape
        boxes = []
        for group in made.groups:
            row, column = np.nonzero(group.reshape(rows, columns))
            boxes.append((column.min() / columns, row.min() / rows, (column.max() + 1) / columns,
                          (row.max() + 1) / rows))  # fmt: skip
        return {"box": np.array(boxes, np.float32)}
    spans = np.array([s for s, n in zip(cells.batch.spans, cells.number, strict=True) if n >= 0])
    edges = [(spans[group, 0].min(), spans[group, 1].max()) for group in made.groups]
    return {"span": np.array(edges, np.int32)}


def _sets(made: Regions, effect: np.ndarray) -> dict[str, Any]:
    """`flips` and `suffices`, each with what the model answers then; or `no_sets`, why there are none.

    Where the answer stays with everything hidden, no part suffices for it more than any other: then `empty` is what is
    answered to nothing, and `suffices` is missing.
    """
    try:
        found = regions.find_minimal_sets(made, effect)
    except Refused as refused:
        return {"no_sets": str(refused)}
    everything = np.ones(len(made.groups), bool)
    hidden = {"flips": _row(made, found["flips"]["parts"]), "suffices": ~_row(made, found["suffices"]["parts"])}
    sets = {name: {**about, **answered(made, hidden[name])} for name, about in found.items()}
    if made.answers(everything[None])[0, 2] > 0:
        del sets["suffices"]
        return {**sets, "empty": answered(made, everything)}
    return sets


def _row(made: Regions, chosen: list[int]) -> np.ndarray:
    row = np.zeros(len(made.groups), bool)
    row[chosen] = True
    return row


def answered(made: Regions, hidden: np.ndarray) -> dict[str, Any]:
    """What is answered with the parts `hidden` (part,): the target's probability, the best `other` answer and its own.

    Of a pair the other answer is its second side, and the probabilities are those of the two alone.
    """
    masked_input = made.masked.input
    logits = _logits(made, hidden)
    target = masked_input.target
    others = logits.copy()
    others[target.ids[0]] = -np.inf
    other = int(others.argmax())
    if target.kind == "pair":
        other = target.ids[1]
        logits = np.where(np.isin(np.arange(len(logits)), target.ids), logits, -np.inf)
    share = np.exp(logits - logits.max())
    share /= share.sum()
    return {
        "probability": float(share[target.ids[0]]), "other": masked_input.model.name_of(other),
        "other_probability": float(share[other]),
    }  # fmt: skip


def _logits(made: Regions, hidden: np.ndarray) -> np.ndarray:
    import torch

    masked_input = made.masked.input
    with torch.no_grad():
        return masked_input.model.outputs(_features(made, hidden), masked_input.batch)[0].double().cpu().numpy()


def _features(made: Regions, hidden: np.ndarray) -> Any:
    cells = (hidden.astype(np.int64) @ made.groups) > 0
    return made.masked.input.replace(made.masked.cells.spread(cells[None]))


def _without(made: Regions, flips: Mapping[str, Any] | None) -> np.ndarray | None:
    """The picture (height, width, 3) that makes the model change its answer, as it was given to it; None for a text.

    Features are the picture's colours, scaled and shifted: how follows from the whole picture.
    """
    image = made.masked.input.batch.image
    if image is None or not flips or not flips["flips"]:
        return None
    present = made.masked.input.features[0].double().cpu().numpy()  # (C, H, W)
    changed = _features(made, _row(made, flips["parts"]))[0].double().cpu().numpy()
    if present.shape[1:] != image.shape[:2]:
        return None
    drawn = []
    for c in range(3):
        a, b = (features[min(c, len(features) - 1)] for features in (present, changed))
        drawn.append(np.polyval(np.polyfit(a.ravel(), image[..., c].ravel(), 1), b))
    return np.stack(drawn, -1).round().clip(0, 255).astype(np.uint8)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


ENTRY = Job(ImportantParts, perform)
