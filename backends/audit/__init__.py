"""The jobs of the evidence page: all methods on one input, the parts that matter, a table, a blind network.

One file a job; each is keyed by its request, kept as a document or a result, and stops when `step` raises. The tests
themselves are in `backends.evidence`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from backends.methods._base import Step, no_step

if TYPE_CHECKING:
    from backends.models._base import Model
    from backends.results import Result
    from backends.store import Store


def perform(model: Model, request: Mapping[str, Any], store: Store, step: Step = no_step) -> Result | dict[str, Any]:
    """Carry out one of the jobs `audit`, `together`, `numbers`, `parts`, `survey` and `blind`. Raises `Refused`."""
    from backends.audit import blind, method, numbers, parts, survey, together

    jobs = {
        "audit": method, "together": together, "numbers": numbers, "parts": parts, "survey": survey, "blind": blind,
    }  # fmt: skip
    return jobs[request["job"]].perform(model, request, store, step)
