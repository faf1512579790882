"""KernelSHAP against the exact Shapley values and captum."""

from itertools import combinations
from math import factorial

import numpy as np
import torch
from captum import attr

import backends
from backends.methods.attribution.scoring import LeastSquares, Parts, seeded
from tests.backends.methods import cases
from tests.conftest import TEXT


def shapley(parts: Parts) -> np.ndarray:
    """Exact Shapley values by all sets."""
    n = parts.count
    sets = [s for k in range(n + 1) for s in combinations(range(n), k)]
    kept = torch.zeros(len(sets), n)
    for row, members in enumerate(sets):
        kept[row, list(members)] = 1
    worth = dict(zip(sets, parts(kept).tolist(), strict=True))
    values = np.zeros(n)
    for i in range(n):
        for members in sets:
            if i not in members:
                weight = factorial(len(members)) * factorial(n - len(members) - 1) / factorial(n)
                values[i] += weight * (worth[tuple(sorted((*members, i)))] - worth[members])
    return values


def test_it_is_the_effect_of_each_square_on_a_linear_network():
    model = cases.linear()
    result = backends.run(model, "kernel_shap", cases.image(), target="a", square=2, samples=64, baseline="mean")
    expected = cases.in_squares(cases.effect(model)[0], 2)
    np.testing.assert_allclose(result.arrays["attribution"], expected, atol=2e-3)
    assert result.facts["completeness_gap"] < 1e-3


def test_it_approaches_the_exact_shapley_values(opened):
    model = opened("tiny_gpt2")
    exact = shapley(Parts(cases.scoring(model, TEXT), "default"))
    result = backends.run(model, "kernel_shap", TEXT, samples=2000)
    np.testing.assert_allclose(result.arrays["attribution"], exact, atol=0.05 * np.abs(exact).max())
    assert result.facts["completeness_gap"] < 0.01


def test_it_equals_captum_with_a_feature_mask(opened):
    model = opened("tiny_llama")
    direct = cases.scoring(model, TEXT)
    method = attr.KernelShap(direct)
    method.interpretable_model = LeastSquares()
    with seeded(6):
        expected = method.attribute(
            direct.features, direct.baseline("mean"), feature_mask=model.units(direct.batch), n_samples=40
        )
    ours = cases.attribution(model, "kernel_shap", TEXT, samples=40, seed=6, paired=False)
    np.testing.assert_allclose(ours, expected[0, :, 0].detach(), atol=1e-5)


def test_paired_draws_are_nearer_to_the_exact_values(opened):
    model = opened("tiny_gpt2")
    exact = shapley(Parts(cases.scoring(model, TEXT), "default"))
    errors = {
        paired: np.mean([
            np.abs(cases.attribution(model, "kernel_shap", TEXT, samples=40, seed=s, paired=paired) - exact).mean()
            for s in range(5)
        ])
        for paired in (True, False)
    }  # fmt: skip
    assert errors[True] < 0.7 * errors[False]


def test_one_word_has_the_whole_change(opened):
    result = backends.run(opened("tiny_bert"), "kernel_shap", "pain")
    change = result.facts["output"] - result.facts["baseline_output"]
    np.testing.assert_allclose(result.arrays["attribution"], [0, change, 0], atol=1e-6)
