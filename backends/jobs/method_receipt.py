"""One method on one input: whether it is valid here, its map, the receipt of the map, and its curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends.evidence import attribution_receipt, deletion_curves
from backends.evidence.cells import Cells
from backends.evidence.map_under_test import encode_input, get_map
from backends.evidence.masked_forwards import MaskedForwards, get_masked_forwards
from backends.evidence.replacement_values import MaskedInput, list_replacements
from backends.jobs import cached_jobs
from backends.jobs.announcement import announce
from backends.jobs.base import Job
from backends.methods.base import Step
from backends.models.base import Model
from backends.requests import MethodReceipt, Receipt
from backends.results import Result
from backends.store import Store

SHARES = (0.15, 0.6, 0.8)
"""How far the job is when the check, the map and the receipt are done."""


def perform(model: Model, request: MethodReceipt, store: Store, step: Step) -> dict[str, Any]:
    """Return all that the evidence page says of one method.

    That is `map`, the key of the map; `receipt`; `decides`, the name of the line that decides; `curves`; and `orders`,
    the smooth random ones they are compared with. Of a method that is not valid here only `withdrawn`, a sentence.
    """
    run, raw = request.run(), store.get_input(str(request.input))
    announce(model, request, raw, step)
    checked = cached_jobs.check(model, request.check(), store, _between(step, 0.0, SHARES[0]))
    if not checked["holds"]:
        return {"method": request.method, "withdrawn": checked["sentence"]}
    result = cached_jobs.compute_map(model, run, store, _between(step, SHARES[0], SHARES[1]))
    wanted = Receipt.of_run(run, request.receipt)
    receipt = cached_jobs.compute_receipt(model, wanted, store, _between(step, SHARES[1], SHARES[2]))
    one, values = get_tested(model, result, raw, request.receipt, _between(step, SHARES[2], 1.0))
    found = deletion_curves.compute_curves(one, values)
    return {
        "method": request.method, "withdrawn": "", "map": run.key(), "target": one.input.target.words,
        "receipt": receipt, "decides": attribution_receipt.DECIDES["image" if one.cells.is_image else "text"][0],
        "curves": {**found.plain(), "deletion": found.deletion, "insertion": found.insertion, "srg": found.srg},
        "orders": [order.plain() for order in deletion_curves.compute_random_curves(one)],
        "unit": one.input.target.unit,
    }  # fmt: skip


def get_tested(
    model: Model, result: Result, raw: Any, options: Mapping[str, Any], step: Step
) -> tuple[MaskedForwards, Any]:
    """The masked forwards that the receipt of `result` asked, and the map as values of their cells."""
    with model.lock:
        batch = encode_input(model, result, raw)
        cells = Cells(batch)
        kind = options.get("replacement") or list_replacements(model, batch)[0]
        target = model.target(options.get("target", result.request.get("target")), batch)
        made = get_masked_forwards(MaskedInput(model, batch, target, kind, step), cells, int(options.get("seed", 0)), 0)
    return made, cells.read(get_map(result))


def _between(step: Step, start: float, end: float) -> Step:
    """The `step` of a part of the job; hiding asks with 0 only whether to go on."""
    return lambda fraction: step(start + (end - start) * fraction)


ENTRY = Job(MethodReceipt, perform)
