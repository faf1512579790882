"""When explanations lie: a map, the same of a network that knows nothing, and one drawn at random, each tested."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from backends.errors import Refused, Unsettled
from backends.evidence import attribution_receipt, map_under_test, perturbed_runs
from backends.evidence.agreement import similarity
from backends.evidence.measures import randomisation
from backends.evidence.receipt import receipt
from backends.jobs import cached_jobs, dataset_test
from backends.jobs.announcement import announce
from backends.jobs.base import Job
from backends.methods.base import Step
from backends.models.base import Batch, Model
from backends.requests import RandomisedNetwork, Receipt, VariantMap, receipt_key
from backends.results import Result
from backends.store import Store

SHUFFLED = "shuffled_weights"
SEED = 7
"""Of the random map."""


def perform(model: Model, request: RandomisedNetwork, store: Store, step: Step) -> dict[str, Any]:
    """Return, for `trained`, `shuffled` and `random`, the keys of the `maps` and the `receipts` on the trained network.

    `decides` is the name of the line that decides; `line` says how alike the first two are, `chance` how alike the
    maps of two inputs are; `problem` says why shuffled weights give no map, where they give none.
    """
    run, options, raw = request.run(), request.receipt, store.get_input(str(request.input))
    announce(model, request, raw, step)
    own = cached_jobs.compute_map(model, run, store, lambda f: step(0.25 * f))
    wanted, tested = options.get("target", run.target), Receipt.of_run(run, options)
    receipts = {"trained": cached_jobs.compute_receipt(model, tested, store, lambda f: step(0.25 + 0.15 * f))}
    keys = {"trained": run.key()}
    with model.lock:
        batch = map_under_test.encode_input(model, own, raw)
        target = _same(model, batch, run.target)
    blind, problem = _shuffled(model, own, batch, target, lambda f: step(0.4))
    step(0.6)
    elsewhere = _elsewhere(model, own, batch, target, lambda f: step(0.6))
    step(0.8)
    drawn = {"random": _scaled(dataset_test.planted(model, raw, SEED, wanted), own)}
    if blind is not None:
        drawn["shuffled"] = dataclasses.replace(
            own, method=SHUFFLED, arrays={**own.arrays, "attribution": blind.astype(np.float32)}, facts=_facts(own)
        )
    for name, result in drawn.items():
        made = dataclasses.replace(result, request={"target": wanted, "variant": name, "of": run.key()})
        receipts[name] = receipt(model, made, raw, step=lambda f: step(0.8), **options).plain()
        keys[name] = VariantMap.of_run(run, options, variant=name).key()
        store.put_result(keys[name], made)
        store.put_document(receipt_key(keys[name]), receipts[name])
    mine = own.arrays["attribution"]
    line = randomisation.judge(mine, blind, elsewhere).plain() if blind is not None else None
    chance = abs(similarity(mine, elsewhere)) if elsewhere.shape == mine.shape else None
    decides = attribution_receipt.DECIDES["image" if mine.ndim == 2 else "text"][0]
    about = {"decides": decides, "line": line, "chance": chance, "problem": problem}
    return {"maps": keys, "receipts": receipts, **about}


def _same(model: Model, batch: Batch, target: Any) -> Any:
    """The target so that another network explains the same: what this one answers, by its number."""
    if target is not None:
        return target
    found = model.target(None, batch)
    return found.ids[0] if found.kind == "index" else None


def _shuffled(model: Model, own: Result, batch: Batch, target: Any, step: Step) -> tuple[np.ndarray | None, str]:
    try:
        found = perturbed_runs.explain_again(randomisation.get_randomised_model(model), own, batch.raw, target, step)
    except Unsettled:
        raise
    except Refused as refused:
        return None, f"With shuffled weights there is no map at all: {refused}"
    return (found, "") if np.isfinite(found).all() else (None, "With shuffled weights the map has no finite numbers.")


def _elsewhere(model: Model, own: Result, batch: Batch, target: Any, step: Step) -> np.ndarray:
    """The map of another input; empty where the model cannot read it."""
    try:
        return perturbed_runs.explain_again(model, own, perturbed_runs.make_other_input(batch), target, step)
    except Unsettled:
        raise
    except Refused:
        return np.zeros(0)


def _scaled(drawn: Result, own: Result) -> Result:
    """The random map as strong as the map it stands beside, so that both can share a scale; unsigned where that is."""
    values, most = drawn.arrays["attribution"], float(np.abs(own.arrays["attribution"]).max(initial=0.0))
    values = values if own.signed else (values - values.min()) / max(float(np.ptp(values)), 1e-12)
    arrays = {**drawn.arrays, "attribution": (values * most).astype(np.float32)}
    return dataclasses.replace(drawn, arrays=arrays, unit=own.unit, signed=own.signed)


def _facts(own: Result) -> dict[str, Any]:
    """What of the facts holds for another network, too: those of the input."""
    return {name: own.facts[name] for name in ("text", "grid", "first_patch", "strings") if name in own.facts}


ENTRY = Job(RandomisedNetwork, perform)
