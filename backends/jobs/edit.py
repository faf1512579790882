"""What a model answers once parts of an input are hidden or swapped, beside what it answered to the whole."""

from __future__ import annotations

from typing import Any

from backends.evidence import edited_input
from backends.inputs import edits
from backends.jobs.base import Job
from backends.methods.base import Step
from backends.models.base import Model
from backends.requests import Edit
from backends.store import Store


def perform(model: Model, request: Edit, store: Store, step: Step) -> dict[str, Any]:
    """Return both answers: see `edited_input.answer`. Raises `Refused`."""
    made = edits.read(request.edits)
    return edited_input.answer(model, store.get_input(request.input), made, request.replacement, step)


ENTRY = Job(Edit, perform)
