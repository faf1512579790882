"""Input × gradient against its closed form and captum."""

import numpy as np
from captum import attr

from tests.backends.methods import cases
from tests.conftest import TEXT


def test_it_is_input_times_weight_on_a_linear_network():
    model = cases.linear()
    x = model.features(model.encode(cases.image()))
    ours = cases.attribution(model, "input_x_gradient", cases.image(), "a")
    np.testing.assert_allclose(ours, (x * model.module.weight[0]).sum((0, 1)), rtol=1e-4, atol=1e-5)


def test_it_equals_captum(opened):
    model = opened("tiny_gpt2")
    direct = cases.scoring(model, TEXT, ["pain", "fever"])
    expected = direct.fold(attr.InputXGradient(direct).attribute(direct.features))
    np.testing.assert_array_equal(cases.attribution(model, "input_x_gradient", TEXT, ["pain", "fever"]), expected)


def test_smoothing_repeats_and_changes_the_map(opened):
    model = opened("tiny_gpt2")
    first, again, plain = (
        cases.attribution(model, "input_x_gradient", TEXT, smooth=smooth, seed=3) for smooth in (3, 3, 0)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, plain)
