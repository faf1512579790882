"""Compute one method of one input."""

from __future__ import annotations

from backends import running
from backends.jobs.announcement import announce
from backends.jobs.base import Job
from backends.methods.base import Step
from backends.models.base import Model
from backends.requests import Run
from backends.results import Result
from backends.store import Store


def perform(model: Model, request: Run, store: Store, step: Step) -> Result:
    """Return the result; a long run says what it will take before it begins. Raises `Refused`."""
    raw = store.get_input(str(request.input))
    announce(model, request, raw, step)
    return running.run_request(model, request, raw, step)


ENTRY = Job(Run, perform)
