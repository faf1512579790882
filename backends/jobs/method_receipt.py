"""One method on one input: whether it is valid here, its map, the receipt of the map, and its curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from backends.evidence import attribution_receipt
from backends.evidence.cells import Places
from backends.evidence.masked_forwards import Bank, bank
from backends.evidence.measures import curves
from backends.evidence.replacement_values import Hiding, replacements
from backends.jobs import cached_jobs
from backends.methods.base import Step, no_step
from backends.requests import key_of
from backends.results import Result
from backends.store import Store

if TYPE_CHECKING:
    from backends.models.base import Model

SHARES = (0.15, 0.6, 0.8)
"""How far the job is when the check, the map and the receipt are done."""


def perform(model: Model, request: Mapping[str, Any], store: Store, step: Step = no_step) -> dict[str, Any]:
    """The job `audit`: that of a run with `receipt`, the options of `evidence.receipt`, beside it.

    Gives `map`, the key of the map; `receipt`; `decides`, the name of the line that decides; `curves` and `orders`, the
    smooth random ones they are compared with. Of a method that is not valid on the model only `withdrawn`, a sentence.
    """
    checked = cached_jobs.check(model, request, store, _between(step, 0.0, SHARES[0]))
    if not checked["holds"]:
        return {"method": request["method"], "withdrawn": checked["sentence"]}
    run, options = cached_jobs.run_of(request), request["receipt"]
    result = cached_jobs.mapped(model, run, store, _between(step, SHARES[0], SHARES[1]))
    receipt = cached_jobs.receipt(model, run, options, store, _between(step, SHARES[1], SHARES[2]))
    one, values = banked(model, result, store.get_input(run["input"]), options, _between(step, SHARES[2], 1.0))
    found = curves.curves(one, values)
    return {
        "method": request["method"], "withdrawn": "", "map": key_of(run), "target": one.hiding.target.words,
        "receipt": receipt, "decides": attribution_receipt.DECIDES["picture" if one.places.pictured else "text"][0],
        "curves": {**found.plain(), "deletion": found.deletion, "insertion": found.insertion, "srg": found.srg},
        "orders": [order.plain() for order in curves.random_curves(one)],
        "unit": one.hiding.target.unit,
    }  # fmt: skip


def banked(model: Model, result: Result, raw: Any, options: Mapping[str, Any], step: Step) -> tuple[Bank, Any]:
    """The bank that the receipt of `result` asked, with what it remembers, and the map as values of its places."""
    with model.lock:
        batch = attribution_receipt.encoded(model, result, raw)
        places = Places(batch)
        kind = options.get("replacement") or replacements(model, batch)[0]
        target = model.target(options.get("target", result.request.get("target")), batch)
        made = bank(Hiding(model, batch, target, kind, step), places, int(options.get("seed", 0)), 0)
    return made, places.of(attribution_receipt.mapped(result))


def _between(step: Step, start: float, end: float) -> Step:
    """The `step` of a part of the job; hiding asks with 0 only whether to go on."""
    return lambda fraction: step(start + (end - start) * fraction)
