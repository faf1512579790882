"""Every number of one method's map on one input."""

from __future__ import annotations

from typing import Any

from backends.errors import Refused
from backends.evidence import metrics
from backends.jobs import cached_jobs
from backends.jobs.announcement import announce
from backends.jobs.base import Job
from backends.methods.base import Step
from backends.models.base import Model
from backends.requests import Metrics
from backends.store import Store

SHARE = 0.4
"""How far the job is when the map is there."""


def perform(model: Model, request: Metrics, store: Store, step: Step) -> dict[str, Any]:
    """Return `table`, a row for each number, and `map`, the key of the map. Raises `Refused`."""
    run, options, raw = request.run(), request.receipt, store.get_input(str(request.input))
    announce(model, request, raw, step)
    checked = cached_jobs.check(model, request.check(), store, lambda fraction: step(0.0))
    if not checked["holds"]:
        raise Refused(checked["sentence"])
    result = cached_jobs.compute_map(model, run, store, lambda fraction: step(SHARE * fraction))
    found = metrics.compute_numbers(
        model, result, raw, target=options.get("target", run.target),
        replacement=options.get("replacement", ""), seed=int(options.get("seed", 0)), step=_Onward(step),
    )  # fmt: skip
    return {"method": request.method, "map": run.key(), "table": [_row(number) for number in found]}


class _Onward:
    """The `step` of the numbers, which does not go back when hiding asks with 0 whether to go on."""

    def __init__(self, step: Step) -> None:
        self.step, self.most = step, 0.0

    def __call__(self, fraction: float) -> None:
        self.most = max(self.most, fraction)
        self.step(SHARE + (1 - SHARE) * self.most)


def _row(number: metrics.Number) -> dict[str, Any]:
    """The number as a row of a table: the ends of its control apart."""
    made = number.plain()
    low, high = made.pop("control") or (None, None)
    return {**made, "low": low, "high": high}


ENTRY = Job(Metrics, perform)
