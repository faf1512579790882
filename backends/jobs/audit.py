"""The jobs of the evidence page: all methods on one input, the parts that matter, a table, a blind network.

One file a job; each is keyed by its request, kept as a document or a result, and stops when `step` raises. The tests
themselves are in `backends.evidence`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from backends.methods.base import Step, no_step

if TYPE_CHECKING:
    from backends.models.base import Model
    from backends.results import Result
    from backends.store import Store


def perform(model: Model, request: Mapping[str, Any], store: Store, step: Step = no_step) -> Result | dict[str, Any]:
    """Carry out one of the jobs `audit`, `together`, `numbers`, `parts`, `survey` and `blind`. Raises `Refused`."""
    from backends.jobs import (
        compare_methods,
        dataset_test,
        important_parts,
        method_receipt,
        metrics,
        randomised_network,
    )

    jobs = {
        "audit": method_receipt, "together": compare_methods, "numbers": metrics, "parts": important_parts,
        "survey": dataset_test, "blind": randomised_network,
    }  # fmt: skip
    return jobs[request["job"]].perform(model, request, store, step)
