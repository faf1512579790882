"""Make a corrupted input of a clean one, and keep both as a pair."""

from __future__ import annotations

from typing import Any

from backends.jobs.base import Job
from backends.methods.base import Step
from backends.models import input_pair
from backends.models.base import Model
from backends.requests import Corrupt
from backends.store import Store


def perform(model: Model, request: Corrupt, store: Store, step: Step) -> dict[str, Any]:
    """Return the digests `clean`, `corrupted` and `pair`, the new `text` and the `tokens` of both. Raises `Refused`."""
    clean = store.get_input(request.input)
    with model.lock:
        made = input_pair.corrupt(model, clean, **request.recipe())
        batch = input_pair.encode(model, {"clean": clean, "corrupted": made})
    sides = {"clean": request.input, "corrupted": store.put_input(made)}
    pair = store.put_input({"clean": clean, "corrupted": made})
    tokens = [list(side.tokens) for side in (batch, batch.corrupted) if side is not None]
    return {**sides, "pair": pair, "text": made.get("text"), "tokens": tokens}


ENTRY = Job(Corrupt, perform)
