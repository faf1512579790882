"""What hiding each part does: what stands out, the order, and what is left out."""

from __future__ import annotations

import numpy as np
import pytest

from tests.viz import samples
from viz.figures import part_effects


def test_what_matters_stands_out_and_words_keep_their_order() -> None:
    result = samples.parts()
    figure = part_effects.draw(result)
    matters, rest = figure.data
    found = np.asarray(result.arrays["found"], bool)
    assert list(matters.x) == pytest.approx(result.arrays["effect"][found])
    assert len(rest.x) == (~found).sum()
    assert list(matters.error_x.array) == pytest.approx([0.5] * found.sum())
    assert (matters.marker.symbol, rest.marker.symbol) == ("circle", "circle-open")
    assert [t.strip() for t in figure.layout.yaxis.ticktext] == list(result.labels["part"])
    assert {line.x0 for line in figure.layout.shapes} == {-0.2, 0.2}


def test_of_many_squares_those_found_come_first_and_the_rest_is_told() -> None:
    result = samples.parts(squares=True)
    figure = part_effects.draw(result, most=5)
    shown = part_effects.largest(result, 5)
    assert set(np.flatnonzero(result.arrays["found"])) <= set(shown)
    assert [result.arrays["effect"][i] for i in shown] == sorted(
        (result.arrays["effect"][i] for i in shown), reverse=True
    )
    assert "11 smaller left out" in figure.layout.title.subtitle.text
