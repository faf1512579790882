"""The plain figure of a result that no builder knows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from backends.errors import Refused
from backends.results import Result
from tests.viz import samples
from viz import figures

ONE = Result(
    "reach", {"reach": np.array([1.0, -2.0, 0.5], np.float32)}, {"reach": ("layer",)}, {"layer": ("0", "1", "2")},
    unit="token",
)  # fmt: skip
TWO = Result(
    "erasure", {"loss": np.arange(6, dtype=np.float32).reshape(2, 3)}, {"loss": ("layer", "position")},
    {"layer": ("0", "1"), "position": ("the", "<b>", "the")}, unit="nat", signed=False,
)  # fmt: skip


def test_one_axis_is_bars_with_its_unit() -> None:
    figure = figures.draw(ONE)
    assert figures.available(ONE) == ["by_axes"]
    assert figure.data[0].type == "bar"
    assert list(figure.data[0].y) == [1.0, -2.0, 0.5]
    assert list(figure.data[0].x) == ["0", "1", "2"]
    assert figure.layout.yaxis.title.text == "reach (token)"
    assert figure.layout.xaxis.title.text == "layer"


def test_two_axes_are_a_heat_map_whose_equal_labels_stay_apart() -> None:
    figure = figures.draw(TWO, dark=True)
    assert figure.data[0].type == "heatmap"
    assert np.asarray(figure.data[0].z).shape == (2, 3)
    assert len(set(figure.data[0].x)) == 3
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0.0, 5.0)
    assert figure.layout.coloraxis.colorbar.title.text == "loss (nat)"
    assert "<b>" not in json.dumps(figure.to_plotly_json(), default=str)
    shared = figures.draw(TWO, scale=(0.0, 2.0))
    assert "3 values lie beyond the shared scale" in shared.layout.title.subtitle.text


def test_it_takes_no_result_from_a_builder_that_knows_it() -> None:
    for make in samples.ALL.values():
        assert figures.PLAIN not in figures.available(make())


def test_words_and_many_axes_are_left_to_the_numbers() -> None:
    words = Result("names", {"kind": np.array([1.0], np.float32).reshape(1, 1, 1)}, {"kind": ("a", "b", "c")})
    with pytest.raises(Refused, match="no picture for a result of names"):
        figures.draw(words)
