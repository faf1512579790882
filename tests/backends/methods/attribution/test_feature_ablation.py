"""Feature ablation against its closed form and captum with a feature mask."""

import numpy as np
from captum import attr

import backends
from tests.backends.methods import cases
from tests.conftest import TEXT


def test_each_square_has_its_effect_on_a_linear_network():
    model = cases.linear()
    result = backends.run(model, "feature_ablation", cases.image(), target="a", square=4, baseline="mean")
    expected = cases.in_squares(cases.effect(model)[0], 4)
    np.testing.assert_allclose(result.arrays["attribution"], expected, rtol=1e-3, atol=1e-3)
    assert result.unit == "logit per square"
    assert result.facts["parts"] == 4


def test_it_equals_captum_on_text(opened):
    model = opened("tiny_bert")
    direct = cases.scoring(model, TEXT, ["urgent", "soon"])
    units = model.units(direct.batch)
    mask = units.masked_fill(units < 0, int(units.max()) + 1)
    expected = attr.FeatureAblation(direct).attribute(direct.features, direct.baseline("mask"), feature_mask=mask)
    result = backends.run(model, "feature_ablation", TEXT, target=["urgent", "soon"])
    np.testing.assert_allclose(result.arrays["attribution"], expected[0, :, 0].detach(), atol=5e-6)
    assert result.unit == "logit"
