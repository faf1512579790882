"""The intrinsic dimension of each layer."""

from __future__ import annotations

import numpy as np

from backends.results import Result
from tests.viz.figures.axis_titles import titles
from viz import figures

VALUES = np.array([2.0, 3.5, 1.5], np.float32)


def spread(**facts: int) -> Result:
    """Three layers' dimensions."""
    labels = {"layer": ("0", "1", "<b>2")}
    return Result("residual_trajectory", {"dimension": VALUES}, {"dimension": ("layer",)}, labels, facts=dict(facts))


def test_one_point_a_layer_from_zero_up() -> None:
    figure = figures.draw(spread(positions_compared=40), "dimension")
    (line,) = figure.data
    np.testing.assert_array_equal(line.y, VALUES)
    assert list(line.x) == [0, 1, 2]
    assert titles(figure) == ["layer (0 = embedding)", "intrinsic dimension (directions)"]
    assert figure.layout.yaxis.rangemode == "tozero"
    assert figure.layout.xaxis.ticktext == ("0", "1", "&lt;b&gt;2")
    assert figure.layout.title.subtitle.text == "TwoNN, from 40 positions"
    assert figures.draw(spread(), "dimension").layout.title.subtitle.text == "TwoNN"


def test_it_draws_dimensions_by_layer_only() -> None:
    assert "dimension" in figures.available(spread())
    other = Result("own", {"dimension": VALUES}, {"dimension": ("position",)})
    assert "dimension" not in figures.available(other)
