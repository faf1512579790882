"""A direction added at several strengths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backends
from tests.backends.methods.causal.sweeps import CLOSE, QUICK, both
from tests.conftest import TEXT


def test_steering_by_each_tokens_difference_gives_the_clean_number(opened: Any) -> None:
    raw = {"clean": TEXT, "corrupted": TEXT.replace("no", "and")}
    result = backends.run(opened("tiny_gpt2"), "steering", raw, at="each", strengths="0,1")
    gap = result.facts["clean"] - result.facts["corrupted"]
    np.testing.assert_allclose(result.arrays["effect"][:, 0], 0, atol=CLOSE * abs(gap))
    np.testing.assert_allclose(result.arrays["effect"][:, 1], gap, rtol=1e-3)


@pytest.mark.parametrize("name", QUICK)
def test_the_prediction_of_a_sweep_is_the_models_own(name: str, family: Any) -> None:
    model = family(name)
    if not {"answer", "residual"} <= model.offers:
        return
    raw = both(name, model)
    told = backends.run(model, "steering", raw, strengths="0,1").facts["prediction"]
    own = backends.prediction(model, model.encode(raw["clean"]))
    assert [choice["label"] for choice in told] == [choice["label"] for choice in own]
    assert [choice["logit"] for choice in told] == pytest.approx([choice["logit"] for choice in own], abs=1e-4)
