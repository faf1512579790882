"""Integrated gradients: closed form, captum, and the error of the adaptive rule."""

import numpy as np
import pytest
from captum import attr

import backends
from tests.backends.methods import cases
from tests.conftest import IMAGES, TEXTS, raw_for


@pytest.mark.parametrize("steps", [0, 7])
def test_it_is_change_times_weight_on_a_linear_network(steps):
    model = cases.linear()
    expected, change = cases.effect(model)
    result = backends.run(model, "integrated_gradients", cases.image(), target="a", baseline="mean", steps=steps)
    np.testing.assert_allclose(result.arrays["attribution"], expected, rtol=1e-3, atol=1e-4)
    facts = result.facts
    assert facts["output"] - facts["baseline_output"] == pytest.approx(change, rel=1e-4)
    assert facts["completeness_gap"] < 1e-4


@pytest.mark.parametrize("name", ["tiny_bert", "tiny_resnet"])
def test_fixed_steps_equal_captum(opened, picture, name):
    model, raw = opened(name), raw_for(name, picture)
    direct = cases.scoring(model, raw)
    expected = attr.IntegratedGradients(direct).attribute(direct.features, direct.baseline("default"), n_steps=9)
    ours = cases.attribution(model, "integrated_gradients", raw, steps=9)
    np.testing.assert_allclose(ours, direct.fold(expected), atol=1e-6)


@pytest.mark.parametrize("name", [*TEXTS, *IMAGES])
def test_adaptive_steps_reach_a_local_error_of_5_percent_and_follow_the_400_step_reference(opened, picture, name):
    model, raw = opened(name), raw_for(name, picture)
    result = backends.run(model, "integrated_gradients", raw)
    assert result.facts["local_gap"] <= 0.05
    assert result.facts["completeness_gap"] <= result.facts["local_gap"] + 1e-3
    reference = cases.attribution(model, "integrated_gradients", raw, steps=400)
    assert np.corrcoef(result.arrays["attribution"].ravel(), reference.ravel())[0, 1] > 0.98
    assert result.facts["gradients"] <= 120


def test_the_number_of_gradients_is_bounded_and_the_gap_says_what_is_left(opened, picture):
    model = opened("tiny_resnet")
    result = backends.run(model, "integrated_gradients", picture, most=8)
    assert result.facts["gradients"] == 8
    assert result.facts["local_gap"] >= 0


def test_smoothing_equals_the_mean_over_noisy_inputs(opened):
    model, raw = opened("tiny_bert"), "no fever but severe chest pain"
    first, again = (backends.run(model, "integrated_gradients", raw, smooth=2, seed=1) for _ in range(2))
    np.testing.assert_array_equal(first.arrays["attribution"], again.arrays["attribution"])
    assert first.arrays["attribution"].shape == (len(first.labels["token"]),)


def test_a_baseline_that_the_model_lacks_is_a_sentence(opened, picture):
    with pytest.raises(backends.Refused, match=r"cannot be replaced by 'mask'.*blur, mean, zero"):
        backends.run(opened("tiny_vit"), "integrated_gradients", picture, baseline="mask")
