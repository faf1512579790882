"""GradientSHAP against its closed form and captum."""

import numpy as np
import torch
from captum import attr

from backends.methods.attribution.scoring import seeded
from tests.backends.methods import cases
from tests.conftest import TEXT


def test_it_is_change_times_weight_on_a_linear_network():
    model = cases.linear()
    ours = cases.attribution(model, "gradient_shap", cases.image(), "a", baseline="mean", samples=5)
    np.testing.assert_allclose(ours, cases.effect(model)[0], rtol=1e-3, atol=1e-4)


def test_it_equals_captum(opened):
    model = opened("tiny_bert")
    direct = cases.scoring(model, TEXT)
    baselines = torch.cat([direct.baseline(kind) for kind in ("mask", "pad", "mean")])
    with seeded(4):
        expected = attr.GradientShap(direct).attribute(
            direct.features, baselines, n_samples=8, stdevs=0.1 * direct.range
        )
    ours = cases.attribution(model, "gradient_shap", TEXT, samples=8, noise=0.1, seed=4)
    np.testing.assert_allclose(ours, direct.fold(expected), atol=1e-6)
