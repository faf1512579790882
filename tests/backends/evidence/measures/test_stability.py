"""Stability: the same each time, and said in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import backends
from backends.evidence.measures import sensitivity, stability


@pytest.mark.parametrize("name", ["tiny_bert", "tiny_vit"])
def test_stability_and_sensitivity(name: str, fresh: Callable[[str], Any], picture: np.ndarray) -> None:
    from tests.conftest import raw_for

    model = fresh(name)
    raw = raw_for(name, picture)
    result = backends.run(model, "saliency", raw)
    batch = model.encode(raw)
    line = stability.make_line(model, batch, result, None)
    assert line.value == pytest.approx(stability.make_line(model, batch, result, None).value)
    assert -1 <= line.value <= 1  # type: ignore[operator]
    assert "Explained again with noise that one hardly sees (2%)" in line.sentence
    small = sensitivity.compute_sensitivity(model, batch, result, None, radius=1e-6, samples=2)
    large = sensitivity.compute_sensitivity(model, batch, result, None, radius=0.05, samples=2)
    assert 0 <= small < large
