"""What a model answers to an input, and how it reads it."""

from __future__ import annotations

from typing import Any

from backends import running
from backends.jobs.base import Job
from backends.methods.base import Step
from backends.models import input_pair
from backends.models.base import Batch, Model
from backends.requests import Predict
from backends.store import Store


def perform(model: Model, request: Predict, store: Store, step: Step) -> dict[str, Any]:
    """Return the answer with tokens, spans and patches; of a pair, `corrupted` holds the answer to the other input.

    Where a pair's inputs differ in length, only `unequal` (a sentence) and `opposite`, who stands opposite whom.
    """
    try:
        batch = input_pair.encode(model, store.get_input(request.input))
    except input_pair.Unequal as unequal:
        return {"unequal": str(unequal), "opposite": unequal.opposite}
    other = batch.corrupted
    beside = {"prediction": running.prediction(model, other), "tokens": list(other.tokens)} if other else None
    return {
        "prediction": running.prediction(model, batch),
        "corrupted": beside,
        "output": _number(model, batch),
        "tokens": list(batch.tokens),
        "spans": batch.spans.tolist() if batch.spans is not None else None,
        "patches": {"grid": list(batch.grid), "first": batch.first_patch} if batch.grid is not None else None,
    }


def _number(model: Model, batch: Batch) -> float | None:
    """The answer of a network whose answer is one number: how similar two texts are."""
    if "pair" not in model.offers or not batch.raw.get("pair"):
        return None
    with model.lock:
        return float(model.score(model.features(batch), batch, model.target(None, batch))[0])


ENTRY = Job(Predict, perform)
