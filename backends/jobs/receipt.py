"""The receipt of a map: should one believe it?"""

from __future__ import annotations

from typing import Any

from backends.jobs import cached_jobs
from backends.jobs.base import Job
from backends.methods.base import Step
from backends.models.base import Model
from backends.requests import Receipt
from backends.store import Store


def perform(model: Model, request: Receipt, store: Store, step: Step) -> dict[str, Any]:
    """Return the receipt as plain values; it is kept beside the map, too. Raises `Refused`."""
    return cached_jobs.compute_receipt(model, request, store, step, keep_map=False)


ENTRY = Job(Receipt, perform)
