"""Does the map stay when the input hardly changes? Its rank correlation with a rerun on a noisy copy.

The control is the map of another input: a map that is as like that one as like its own rerun is not stable but
constant. `sensitivity` is captum's `sensitivity_max` (Yeh et al. 2019, definition 3.1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from backends.evidence import perturbed_runs
from backends.evidence.measures.agreement import similarity
from backends.evidence.verdict import CANNOT, FAILS, HOLDS, Line
from backends.models.base import Batch, Model
from backends.results import Result

NOISE = 0.02
"""Of the range of the input's features."""


def line(model: Model, batch: Batch, result: Result, target: Any, seed: int = 0) -> Line:
    """The map against a noisy rerun, beside the map of another input; costs two explanations."""
    own = result.arrays["attribution"]
    features = perturbed_runs.noisy(model, batch, NOISE, seed)
    rerun = perturbed_runs.explained(perturbed_runs.nudged(model, batch, features), result, batch.raw, target)
    other = perturbed_runs.explained(model, result, perturbed_runs.another(batch), target)
    same = similarity(own, rerun)
    chance = similarity(own, other) if other.shape == own.shape else 0.0
    verdict = HOLDS if same >= 0.5 and same > chance + 0.2 else FAILS if same < 0.2 or same <= chance else CANNOT
    sentence = (
        f"Explained again with noise that one hardly sees ({NOISE:.0%}), the map is {same:.2f} like itself "
        f"(1 is the same); the map of another input is {chance:.2f} like it."
    )
    return Line("stability", same, (chance, chance), verdict, sentence, {"noise": NOISE})


def sensitivity(
    model: Model, batch: Batch, result: Result, target: Any, radius: float = 0.02, samples: int = 4
) -> float:
    """captum's `sensitivity_max` of the map: the largest relative change under uniform noise of at most `radius`."""
    from captum.metrics import sensitivity_max

    def explain(features: Any) -> tuple[torch.Tensor]:  # captum 0.9 takes a bare tensor apart
        features = features[0] if isinstance(features, tuple) else features
        with torch.enable_grad():  # captum asks without
            maps = [
                perturbed_runs.explained(perturbed_runs.nudged(model, batch, row[None]), result, batch.raw, target)
                for row in features
            ]
        return (torch.from_numpy(np.stack(maps)),)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        features = model.features(batch).detach()
        found = sensitivity_max(explain, features, perturb_radius=radius, n_perturb_samples=samples)
    return float(found[0])
