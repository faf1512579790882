"""What each part writes towards two answers: two groups of bars, and the parts left out."""

from __future__ import annotations

import numpy as np

from tests.viz import causal_samples
from tests.viz.figures.axis_titles import titles
from viz import figures


def test_each_answer_has_its_bars() -> None:
    result = causal_samples.competition()
    two = figures.draw(result, "rival_parts")
    assert [bar.name for bar in two.data] == ["·Mary", "·John"]
    for bar, row in zip(two.data, result.arrays["contribution"], strict=True):
        np.testing.assert_array_equal(bar.y, row)
        assert bar.x == ("embedding", "attention 0", "mlp 0")
    assert two.data[0].marker.color != two.data[1].marker.color
    assert titles(two) == ["part (head layer.head, MLP by layer)", "adds to the logit (logit)"]


def test_the_part_that_is_largest_for_either_answer_is_kept() -> None:
    figure = figures.draw(causal_samples.competition(), "rival_parts", most=1)
    assert figure.data[0].x == ("mlp 0", "2 others")  # 1.0 for the one answer is the largest of all
    np.testing.assert_allclose(figure.data[0].y, [1.0, 0.3], rtol=1e-6)
    np.testing.assert_allclose(figure.data[1].y, [0.5, 0.7], rtol=1e-6)
