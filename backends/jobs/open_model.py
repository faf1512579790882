"""Open a model: it is loaded and probed, and its card says what pages need to know of it."""

from __future__ import annotations

from typing import Any

from backends import running
from backends.jobs.base import Job
from backends.jobs.model_cache import models
from backends.methods.base import Step
from backends.models.base import Model
from backends.requests import OpenModel
from backends.store import Store


def perform(model: Model, request: OpenModel, store: Store, step: Step) -> dict[str, Any]:
    """Return the card of `model`: see `running.card`."""
    return {**running.card(model)}


ENTRY = Job(OpenModel, perform, model=lambda request: models().get(request.model))  # whatever its files are now
