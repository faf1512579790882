"""What each part writes: the largest, the rest, and the residue."""

from __future__ import annotations

import numpy as np

from tests.viz import causal_samples
from tests.viz.figures.axis_titles import titles
from viz import figures


def test_contributions_keep_the_largest_and_sum_the_rest() -> None:
    result = causal_samples.logit_attribution()
    figure = figures.draw(result, "contributions", position=2, most=3)
    column = result.arrays["contribution"][:, 2]
    assert figure.data[0].x[-2:] == ("2 others", "residue")
    assert np.isclose(sum(figure.data[0].y), column.sum() + 1e-6)
    assert "at ·and, token 2" in figure.layout.title.subtitle.text
    assert titles(figure) == ["part (head layer.head, MLP by layer)", "adds to the logit (logit)"]
