"""Layer by place: empty cells, the two numbers, and approximations."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.viz import causal_samples
from tests.viz.figures.axis_titles import titles
from viz import figures


def test_a_grid_that_is_not_full_leaves_cells_empty() -> None:
    whole = causal_samples.grid()
    effect = whole.arrays["effect"].copy()
    effect[:2] = np.nan
    figure = figures.draw(dataclasses.replace(whole, arrays={"effect": effect}))
    np.testing.assert_array_equal(np.isnan(figure.data[0].z), np.isnan(effect))
    assert figure.layout.coloraxis.cmin == -figure.layout.coloraxis.cmax
    assert figure.layout.title.subtitle.text.startswith("clean 7.9 logit · corrupted -6.2 logit")
    assert "share of the difference restored" in figure.layout.coloraxis.colorbar.title.text
    assert titles(figure) == ["input token (position)", "layer (index)"]


def test_an_approximate_grid_says_so() -> None:
    whole = causal_samples.grid()
    preview = dataclasses.replace(whole, facts={**whole.facts, "approximate": True, "correlation": 0.41})
    said = figures.draw(preview).layout.title.subtitle.text
    assert "approximate: from one gradient · correlation with the exact grid 0.41" in said
