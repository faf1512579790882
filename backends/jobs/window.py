"""A window on one head's attention of a long text."""

from __future__ import annotations

from typing import Any

from backends.jobs.base import Job
from backends.methods.attention import attention_window
from backends.methods.base import Step
from backends.models.base import Model
from backends.requests import AttentionWindow
from backends.store import Store


def perform(model: Model, request: AttentionWindow, store: Store, step: Step) -> dict[str, Any]:
    """Return the weights and what they sum up to: see `attention_window.window`. Raises `Refused`."""
    batch = model.encode(store.get_input(request.input))
    return attention_window.read_window(model, batch, request.options, step)


ENTRY = Job(AttentionWindow, perform)
