"""Patching from one gradient, beside the exact grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backends
from backends.hooks.partial_forward import Row
from backends.methods.causal import base
from backends.methods.causal.attribution_patching import compute_gradients
from tests.backends.methods.causal.sweeps import watched
from tests.conftest import TEXT


def test_attribution_patching_is_exact_on_a_straight_line(opened: Any) -> None:
    model = opened("tiny_gpt2")
    raw = {"clean": TEXT, "corrupted": TEXT.replace("severe", "chart")}
    result = backends.run(model, "attribution_patching", raw, site="residual", compare=True)
    exact = backends.run(model, "activation_patching", raw, site="residual")
    expected = np.corrcoef(result.arrays["effect"].ravel(), exact.arrays["effect"].ravel())[0, 1]
    assert result.facts["correlation"] == pytest.approx(expected, abs=1e-5)
    assert result.facts["approximate"]
    watch = watched(model, raw)
    slope = compute_gradients(watch, watch.batch.corrupted, "residual", (2,))[0]  # type: ignore[arg-type]
    contrast = base.Contrast(watch)
    small = 1e-2 * (contrast.clean.states[2][0] - contrast.corrupted.states[2][0])
    pushed = watch.sweep([Row({("residual", 2): lambda x: x + small}), Row({("residual", 2): lambda x: x - small})],
                         contrast.corrupted, contrast.corrupted_batch)  # fmt: skip
    assert float((slope * small).sum()) == pytest.approx((pushed[0] - pushed[1]) / 2, rel=0.05, abs=1e-5)
