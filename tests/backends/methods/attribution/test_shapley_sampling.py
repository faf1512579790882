"""Shapley sampling: closed form, completeness, captum."""

import numpy as np
from captum import attr

import backends
from backends.methods.attribution.scoring import seeded
from tests.backends.methods import cases
from tests.conftest import TEXT


def test_it_is_the_effect_of_each_square_on_a_linear_network():
    model = cases.linear()
    ours = cases.attribution(model, "shapley_sampling", cases.image(), "a", square=4, orders=1, baseline="mean")
    np.testing.assert_allclose(ours, cases.in_squares(cases.effect(model)[0], 4), rtol=1e-3, atol=1e-3)


def test_it_adds_up_whatever_the_number_of_orders(opened):
    result = backends.run(opened("tiny_gpt2"), "shapley_sampling", TEXT, orders=1)
    change = result.facts["output"] - result.facts["baseline_output"]
    np.testing.assert_allclose(result.arrays["attribution"].sum(), change, rtol=1e-4)
    assert result.facts["completeness_gap"] < 1e-4


def test_it_equals_captum_with_a_feature_mask(opened):
    model = opened("tiny_llama")
    direct = cases.scoring(model, TEXT)
    with seeded(9):
        expected = attr.ShapleyValueSampling(direct).attribute(
            direct.features, direct.baseline("mean"), feature_mask=model.units(direct.batch), n_samples=3
        )
    ours = cases.attribution(model, "shapley_sampling", TEXT, orders=3, seed=9)
    np.testing.assert_allclose(ours, expected[0, :, 0].detach(), atol=1e-5)
