"""Saliency against its closed form and captum."""

import numpy as np
import pytest
import torch
from captum import attr

import backends
from tests.backends.methods import cases
from tests.conftest import TEXT


def test_saliency_of_a_linear_network_is_the_size_of_its_weights():
    model = cases.linear()
    result = backends.run(model, "saliency", cases.image(), target="a")
    np.testing.assert_allclose(result.arrays["attribution"], model.module.weight[0].abs().sum(0), rtol=1e-6)
    assert not result.signed
    assert result.unit == "logit per unit of input"
    assert result.target == "a"
    assert result.facts["gradients"] == 1


def test_saliency_equals_captum(opened):
    model = opened("tiny_bert")
    direct = cases.scoring(model, TEXT)
    expected = direct.fold(attr.Saliency(direct).attribute(direct.features))
    np.testing.assert_array_equal(cases.attribution(model, "saliency", TEXT), expected)


def test_smoothgrad_equals_captums_noise_tunnel(opened, picture):
    model = opened("tiny_vit")
    direct = cases.scoring(model, picture)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        noisy = attr.NoiseTunnel(attr.Saliency(direct)).attribute(
            direct.features, nt_samples=4, nt_samples_batch_size=1, stdevs=0.2 * direct.range, abs=False
        )
    ours = cases.attribution(model, "saliency", picture, smooth=4, noise=0.2, seed=5)
    np.testing.assert_allclose(ours, direct.fold(noisy.abs()), atol=1e-7)
    assert not np.allclose(ours, cases.attribution(model, "saliency", picture))


def test_smooth_has_bounds(opened, picture):
    with pytest.raises(backends.Refused, match="smooth must be a whole number from 0 to 64, not '65'"):
        backends.run(opened("tiny_vit"), "saliency", picture, smooth=65)
