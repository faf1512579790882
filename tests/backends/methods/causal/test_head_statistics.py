"""Statistics of heads, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from backends.methods.causal import head_statistics as h


def test_head_statistics_by_hand() -> None:
    assert h.measure_sharpness(np.array([[1.0, 0, 0, 0], [0.25] * 4])) == pytest.approx([1, 0], abs=1e-6)
    weight = np.array([[[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.0, 0.1, 0.9]]])
    assert h.measure_focus(np.array([[3.0, 2.0, 1.0]]), weight, 2) == 1.0
    assert h.measure_focus(np.array([[3.0, 1.0, 2.0]]), weight, 2) == pytest.approx(1 / 3)
    assert h.measure_focus(np.array([[3.0]]), weight[:, :1], 2) is None
    assert h.correlate_ranks(np.array([1.0, 2, 3]), np.array([2.0, 4, 9])) == pytest.approx(1)
    assert h.correlate_ranks(np.ones(3), np.array([2.0, 4, 9])) is None
