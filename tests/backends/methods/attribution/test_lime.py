"""LIME: closed form, captum, and the solver against numpy's."""

import numpy as np
import torch
from captum import attr
from captum.attr._core.lime import get_exp_kernel_similarity_function

import backends
from backends.methods.attribution.scoring import LeastSquares, Parts, seeded
from tests.backends.methods import cases
from tests.conftest import TEXT


def test_without_ridge_it_is_the_effect_of_each_square_on_a_linear_network():
    model = cases.linear()
    result = backends.run(
        model, "lime", cases.image(), target="a", square=4, samples=64, ridge=0, width=5, baseline="mean"
    )
    expected = cases.in_squares(cases.effect(model)[0], 4)
    np.testing.assert_allclose(result.arrays["attribution"], expected, atol=2e-3)
    assert result.facts["fit"] > 0.9999


def test_it_equals_captum(opened):
    model = opened("tiny_bert")
    parts = Parts(cases.scoring(model, TEXT), "default")
    method = attr.Lime(parts, LeastSquares(1.0), get_exp_kernel_similarity_function("cosine", 0.25))
    with seeded(2):
        expected = method.attribute(parts.all, parts.none, n_samples=50)
    ours = cases.attribution(model, "lime", TEXT, samples=50, seed=2)
    np.testing.assert_allclose(ours[1:-1], expected[0], atol=1e-6)


def test_the_solver_equals_the_normal_equations():
    chance = np.random.default_rng(0)
    x, y, w = chance.normal(size=(30, 4)), chance.normal(size=30), chance.random(30)
    line = LeastSquares(ridge=0.5)
    line.fit([[torch.tensor(v) for v in (x, y, w)]])
    design = np.c_[x, np.ones(30)]
    expected = np.linalg.solve((design.T * w) @ design + 0.5 * np.diag([1, 1, 1, 1, 0]), (design.T * w) @ y)
    np.testing.assert_allclose(line.representation()[0], expected[:4], rtol=1e-5)


def test_its_map_is_not_zero_on_any_tiny_model(opened, picture):
    from tests.conftest import IMAGES, TEXTS, raw_for

    for name in (*TEXTS, *IMAGES):
        assert np.any(cases.attribution(opened(name), "lime", raw_for(name, picture), samples=64)), name
