"""Whether a method means anything on an opened model: running without an error is no evidence.

Each test that fails has a sentence with its number; a page withdraws the method and shows that sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from backends import registry
from backends.errors import Cancelled, Refused
from backends.methods.base import Method, Step, no_step
from backends.models import input_pair

if TYPE_CHECKING:
    from backends.models.base import Batch, Model, Target
    from backends.results import Result

SAME = 0.995
"""Rank correlation from which a map counts as unchanged by other weights."""


def check(model: Model, method_name: str, step: Step = no_step) -> dict[str, Any]:
    """{"holds", "sentence", "figures"}: whether `method_name` is valid on `model`, tried on one of its examples."""
    entry = registry.method(method_name)
    figures: dict[str, float] = {}
    try:
        missing = sorted(entry.needs - model.offers)
        if missing:
            raise Refused(f"{entry.title} needs {', '.join(missing)}, which {model.name} does not give")
        with model.lock:
            _check(model, entry, figures, step)
    except Cancelled:
        raise
    except Refused as refused:
        return {"holds": False, "sentence": str(refused), "figures": figures}
    return {"holds": True, "sentence": _tell_passed(entry, figures), "figures": figures}


def _check(model: Model, entry: type[Method], figures: dict[str, float], step: Step) -> None:
    """Run every test that concerns this method; raises `Refused` with the sentence of the first that fails."""
    from backends.evidence.perturbed_runs import shuffle_weights

    method = entry.build(getattr(entry, "cheap", {}))
    batch = input_pair.encode(model, _choose_inputs(model, entry))
    target: Any = model.target(None, batch) if entry.needs_target else None
    step(0.1)
    result = method(model, batch, target, lambda fraction: step(0.1 + 0.4 * fraction))
    _check_sound(entry, model, result, batch)
    if entry.question != "attribution":
        return
    _check_sum(entry, model, result, figures)
    step(0.5)
    if getattr(entry, "guided", False):
        _check_guidance(entry, model, batch, target, figures)
    try:
        shuffled = method(shuffle_weights(model), batch, target, lambda fraction: step(0.5 + 0.5 * fraction))
    except Refused:  # it hangs on the weights so much that other weights give no map at all
        return
    _check_weights(entry, model, result, shuffled, figures)
    step(1.0)


def _choose_inputs(model: Model, entry: type[Method]) -> Any:
    """An example, beside one of other words or with noise where the method compares two inputs."""
    raw = _choose_example(model)
    return {"clean": raw, "corrupted": input_pair.corrupt(model, raw)} if entry.needs_pair else raw


def _choose_example(model: Model) -> Any:
    """The first example that ships with the model, else the family's sample."""
    return model.examples[0] if model.examples else model.sample


def _check_sound(entry: type[Method], model: Model, result: Result, batch: Batch) -> None:
    main = result.arrays[result.main]
    if main.size == 0:
        raise Refused(f"{entry.title} gives an empty map on {model.name}")
    for name, array in result.arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            share = 1 - np.isfinite(array).mean()
            raise Refused(f"{entry.title} gives {share:.0%} numbers that are not finite on {model.name} ({name})")
    if main.dtype.kind == "f" and not np.any(main):
        raise Refused(f"{entry.title} is zero everywhere on {model.name}")
    if entry.question == "attribution":
        wanted = batch.image.shape[:2] if batch.image is not None else (len(batch.tokens),)
        if main.shape != tuple(wanted):
            raise Refused(f"{entry.title} has the wrong axes on {model.name}: {main.shape} values for {tuple(wanted)}")


def _check_sum(entry: type[Method], model: Model, result: Result, figures: dict[str, float]) -> None:
    gap, most = result.facts.get("completeness_gap"), getattr(entry, "claims", None)
    if gap is None:
        return
    figures["completeness_gap"] = float(gap)
    if most is not None and not gap <= most:
        raise Refused(
            f"{entry.title} misses the change it explains by {gap:.0%} on {model.name} (at most {most:.0%} is valid)"
        )


def _check_guidance(entry: type[Method], model: Model, batch: Batch, target: Target, figures: dict[str, float]) -> None:
    """The guided gradient differs from the plain one; it does not where no ReLU is a module."""
    import warnings

    from captum import attr

    from backends.methods.attribution.scoring import Scoring

    scoring = Scoring(model, batch, target, no_step)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # captum announces its hooks
        guided = attr.GuidedBackprop(scoring).attribute(scoring.features)
    plain = attr.Saliency(scoring).attribute(scoring.features, abs=False)
    figures["guided_change"] = float((guided - plain).norm() / plain.norm().clamp(min=1e-12))
    if figures["guided_change"] < 1e-3:
        raise Refused(f"{entry.title} guides nothing on {model.name}: its gradient equals the plain one")


def _check_weights(entry: type[Method], model: Model, result: Result, other: Result, figures: dict[str, float]) -> None:
    from scipy.stats import rankdata

    maps = [r.arrays[r.main].ravel() for r in (result, other)]
    if not (np.isfinite(maps[1]).all() and all(np.ptp(m) > 0 for m in maps)):
        return  # nothing to compare with
    ranks = np.stack([rankdata(m) for m in maps])
    figures["similarity_with_shuffled_weights"] = float(np.corrcoef(ranks)[0, 1])
    if figures["similarity_with_shuffled_weights"] >= SAME:
        raise Refused(
            f"{entry.title} hardly changes when the weights of {model.name} are shuffled (rank correlation "
            f"{figures['similarity_with_shuffled_weights']:.3f}), so it does not show what the model learnt"
        )


def _tell_passed(entry: type[Method], figures: dict[str, float]) -> str:
    said = ["finite and not empty"]
    if getattr(entry, "claims", None) is not None and "completeness_gap" in figures:
        said.append(f"adds up within {figures['completeness_gap']:.1%}")
    if "similarity_with_shuffled_weights" in figures:
        said.append(f"rank correlation {figures['similarity_with_shuffled_weights']:.2f} after shuffling the weights")
    return f"{entry.title} passes: {', '.join(said)}"
