"""Let a model continue a text; every step of the continuation is kept as an input."""

from __future__ import annotations

from typing import Any

from backends.jobs.base import Job
from backends.methods import generation
from backends.methods.base import Step
from backends.models.base import Model
from backends.requests import Generate
from backends.store import Store


def perform(model: Model, request: Generate, store: Store, step: Step) -> dict[str, Any]:
    """Return the continuation: see `generation.generate`. Raises `Refused`."""
    return generation.generate(model, store.get_input(request.input), step, store, **request.options)


ENTRY = Job(Generate, perform)
