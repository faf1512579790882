"""Find out whether a method is valid on a model."""

from __future__ import annotations

from typing import Any

from backends.evidence import method_check
from backends.jobs.base import Job
from backends.methods.base import Step
from backends.models.base import Model
from backends.requests import Check
from backends.store import Store


def perform(model: Model, request: Check, store: Store, step: Step) -> dict[str, Any]:
    """Return whether the method `holds`, the sentence that says so, and its figures."""
    return method_check.check(model, request.method, step)


ENTRY = Job(Check, perform)
