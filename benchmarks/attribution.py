"""Integrated gradients, ours beside captum's 50 steps: time, evaluations and error, one JSON line a case.

`python -m benchmarks.attribution [repeats]`. All sides take turns in one run. Errors: `completeness_gap`
|Σa − Δf| / |Δf|; `local_gap` Σ|ε| / |Δf| over the stretches that each rule stands for, which cannot cancel; `map_error`
‖a − reference‖₁ / ‖reference‖₁ with 800 steps as the reference.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

import backends
from backends import catalog
from backends.methods.attribution.integrated_gradients import IntegratedGradients
from backends.methods.attribution.scoring import Scoring
from backends.methods.base import no_step

CASES = ("radiograph", "radiograph-vit", "triage")
STEPS = 50
REFERENCE = 800


def inputs(name: str, count: int) -> list[Any]:
    """Test inputs of a bundled model."""
    if name == "triage":
        from backends.bundled.data.triage import notes

        return [{"text": note.text} for note in notes(77, count, "test")]
    from backends.bundled.data.radiograph import phantoms

    return [{"image": image} for image in phantoms(77, count, labels=np.ones(count)).rgb]


def captums(scoring: Scoring, batch: int | None, steps: int = STEPS) -> np.ndarray:
    """Captum's fixed steps, `batch` at a time."""
    from captum import attr

    method = attr.IntegratedGradients(scoring)
    baseline = scoring.baseline("default")
    return scoring.fold(method.attribute(scoring.features, baseline, n_steps=steps, internal_batch_size=batch))


def fixed_local_gap(scoring: Scoring, steps: int = STEPS) -> float:
    """Σ|ε| / |Δf| of captum's fixed steps: each node stands for the stretch of the path that its weight covers."""
    import torch
    from captum.attr._utils.approximation_methods import approximation_parameters

    widths, alphas = (np.array(make(steps)) for make in approximation_parameters("gausslegendre"))
    x, b = scoring.features.detach(), scoring.baseline("default")
    edges = np.r_[0, np.cumsum(widths)].clip(0, 1)
    line = lambda at: b + torch.tensor(at, dtype=x.dtype).view(-1, *[1] * (x.ndim - 1)) * (x - b)  # noqa: E731
    points = line(alphas).requires_grad_()
    slopes = (torch.autograd.grad(scoring(points).sum(), points)[0] * (x - b)).flatten(1).sum(1)
    f = scoring.value(line(edges)).numpy()
    return float(np.abs(np.diff(f) - slopes.numpy() * widths).sum() / abs(f[-1] - f[0]))


def one(model: Any, raw: Any) -> dict[str, Callable[[], Any]]:
    """The sides for one input."""
    batch = model.encode(raw)
    target = model.target(None, batch)
    direct = Scoring(model, batch, target, no_step)
    return {
        "adaptive": lambda: IntegratedGradients()(model, batch, target),
        "adaptive_0.5_percent": lambda: IntegratedGradients(tolerance=0.005)(model, batch, target),
        "captum_50_batch_1": lambda: captums(direct, 1),
        "captum_50_one_batch": lambda: captums(direct, None),
    }


def measure(model: Any, raws: list[Any], repeats: int) -> dict[str, dict[str, Any]]:
    """Seconds, evaluations and errors of every side, over inputs and repeats."""
    sides: dict[str, dict[str, list[float]]] = {}
    for raw in raws:
        batch = model.encode(raw)
        judge = Scoring(model, batch, model.target(None, batch), no_step)
        reference = captums(judge, 50, REFERENCE)
        change = judge.output - float(judge.value(judge.baseline("default")))
        for name, call in one(model, raw).items():
            side = sides.setdefault(name, {k: [] for k in ("gradients", "forwards", "gap", "local", "map")})
            made = call()
            found = made if isinstance(made, np.ndarray) else made.arrays["attribution"]
            side["gap"].append(abs(float(found.sum()) - change) / abs(change))
            side["map"].append(float(np.abs(found - reference).sum() / np.abs(reference).sum()))
            own = {} if isinstance(made, np.ndarray) else made.facts
            side["gradients"].append(own.get("gradients", STEPS))
            side["forwards"].append(own.get("forwards", 0))
            side["local"].append(own.get("local_gap") or fixed_local_gap(judge))
    times: dict[str, list[float]] = {name: [] for name in sides}
    calls = [one(model, raw) for raw in raws]
    for _ in range(repeats):
        for name in sides:  # in turn
            for call in calls:
                start = time.perf_counter()
                call[name]()
                times[name].append(time.perf_counter() - start)
    median = statistics.median
    return {
        name: {
            "seconds": median(times[name]),
            "seconds_mean": statistics.fmean(times[name]),
            "seconds_range": [min(times[name]), max(times[name])],
            "gradients": median(side["gradients"]),
            "forwards": median(side["forwards"]),
            "local_gap": median(side["local"]),
            "local_gap_worst": max(side["local"]),
            "completeness_gap": median(side["gap"]),
            "map_error": median(side["map"]),
        }
        for name, side in sides.items()
    }


def main() -> None:
    """Print one line a model."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    versions = {name: version(name) for name in ("torch", "transformers", "captum")}
    there = {card["name"] for card in catalog.bundled()}
    for name in CASES:
        if f"bundled/{name}" not in there:
            print(json.dumps({"case": name, "missing": "train the bundled models first"}))
            continue
        sides = measure(backends.open_model(f"bundled/{name}"), inputs(name, 8), repeats)
        fast = {k: sides[k]["seconds"] / sides["adaptive"]["seconds"] for k in sides if k != "adaptive"}
        print(json.dumps({"case": name, "repeats": repeats, "faster_than": fast, **sides, "versions": versions}))


if __name__ == "__main__":
    main()
