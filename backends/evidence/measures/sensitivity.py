"""Sensitivity: the largest change of the map under small noise (Yeh et al. 2019, definition 3.1), as captum has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from backends.evidence.measure import LOWER, Measure, Reading

if TYPE_CHECKING:
    import torch

    from backends.evidence.map_under_test import MapUnderTest
    from backends.models.base import Batch, Model
    from backends.results import Result

RADIUS = 0.02
"""The largest noise on a feature."""


def compute_sensitivity(
    model: Model, batch: Batch, result: Result, target: Any, radius: float = RADIUS, samples: int = 4
) -> float:
    """captum's `sensitivity_max` of the map: the largest relative change under uniform noise of at most `radius`."""
    import torch
    from captum.metrics import sensitivity_max

    from backends.evidence import perturbed_runs

    def explain(features: Any) -> tuple[torch.Tensor]:  # captum 0.9 takes a bare tensor apart
        features = features[0] if isinstance(features, tuple) else features
        with torch.enable_grad():  # captum asks without
            maps = [
                perturbed_runs.explain_again(
                    perturbed_runs.with_features(model, batch, row[None]), result, batch.raw, target
                )
                for row in features
            ]
        return (torch.from_numpy(np.stack(maps)),)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        features = model.features(batch).detach()
        found = sensitivity_max(explain, features, perturb_radius=radius, n_perturb_samples=samples)
    return float(found[0])


def compute(tested: MapUnderTest) -> Reading:
    """captum's number; it has no control."""
    return Reading(compute_sensitivity(tested.model, tested.batch, tested.result, tested.asked_target))


ENTRY = Measure(
    title="sensitivity",
    source="Yeh et al. 2019, On the (In)fidelity and Sensitivity of Explanations, definition 3.1",
    unit="share of the map",
    better=LOWER,
    order=90,
    meaning="the largest change of the map, relative to it, under noise of at most 0.02 in the features (captum)",
    number=compute,
)
