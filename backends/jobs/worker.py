"""What a worker process does: perform one request after another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends import registry
from backends.errors import Crowded, Refused
from backends.jobs import base
from backends.methods.base import Step, no_step
from backends.models.batching import WOULD_FIT, is_out_of_memory, release
from backends.results import Result
from backends.store import Store


def preload() -> None:
    """Import what every job needs, so that the first one does not wait for it."""
    import captum.attr  # noqa: F401
    import torch  # noqa: F401
    import transformers.models.auto.modeling_auto  # noqa: F401

    from backends.hooks import recording  # noqa: F401

    registry.entries("jobs")


def perform(request: Mapping[str, Any], store_root: str, step: Step = no_step) -> Result | dict[str, Any]:
    """Carry out one plain request: see the files beside this one. Raises `Refused`."""
    job = base.find(request.get("job"))
    asked = job.request.from_plain(request)
    try:
        return job.perform(job.model(asked), asked, Store(store_root), step)
    except Exception as error:
        if isinstance(error, Refused) or not is_out_of_memory(error):
            raise
    release()  # here, where the error no longer holds the tensors of the failed job
    raise Crowded(f"memory ran out while computing this; {WOULD_FIT}")
