"""Every number of one method's map on one input: see `evidence.metrics`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from backends.errors import Refused
from backends.evidence import metrics
from backends.jobs import cached_jobs
from backends.methods.base import Step, no_step
from backends.requests import key_of
from backends.store import Store

if TYPE_CHECKING:
    from backends.models.base import Model

SHARE = 0.4
"""How far the job is when the map is there."""


def perform(model: Model, request: Mapping[str, Any], store: Store, step: Step = no_step) -> dict[str, Any]:
    """The job `numbers`: that of a run with `receipt`, the options of `evidence.receipt`, beside it.

    Gives `table`, a row for each number, and `map`, the key of the map. Raises `Refused`.
    """
    checked = cached_jobs.check(model, request, store, lambda fraction: step(0.0))
    if not checked["holds"]:
        raise Refused(checked["sentence"])
    run, options = cached_jobs.run_of(request), request["receipt"]
    result = cached_jobs.mapped(model, run, store, lambda fraction: step(SHARE * fraction))
    found = metrics.compute_numbers(
        model, result, store.get_input(run["input"]), target=options.get("target", run["target"]),
        replacement=options.get("replacement", ""), seed=int(options.get("seed", 0)), step=_Onward(step),
    )  # fmt: skip
    return {"method": request["method"], "map": key_of(run), "table": [_row(number) for number in found]}


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
