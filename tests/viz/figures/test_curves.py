"""Curves through the layers: the target, chosen tokens, ranks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from backends.errors import Refused
from tests.viz import samples
from tests.viz.figures.axis_titles import titles
from viz import figures
from viz.figures import curves


def test_curves_follow_target_and_tokens() -> None:
    result = samples.lens()
    assert curves.measures(result) == ["probability", "rank", "entropy", "kl"]
    figure = figures.draw(result, "curves", position=2, tokens=[1])
    np.testing.assert_array_equal(figure.data[0].y, result.arrays["target_probability"][:, 2])
    where = result.arrays["token"][:, 2] == 1
    expected = np.where(where.any(1), (result.arrays["probability"][:, 2] * where).sum(1), np.nan)
    np.testing.assert_allclose(figure.data[1].y, expected)
    rank = figures.draw(result, "curves", measure="rank", position=2)
    np.testing.assert_array_equal(rank.data[0].y, result.arrays["target_rank"][:, 2])
    assert rank.layout.yaxis.type == "log"
    assert rank.layout.yaxis.autorange == "reversed"
    assert titles(figures.draw(result, "curves", measure="entropy"))[1] == "entropy of the prediction (nat)"
    with pytest.raises(Refused, match="no curve 'joy' in this result; there are: probability, rank, entropy, kl"):
        figures.draw(result, "curves", measure="joy")
    with pytest.raises(Refused, match="no position '9'; there are:"):
        figures.draw(result, "curves", position=9)


def test_ranks_from_zero_are_shown_from_one() -> None:
    result = samples.lens()
    arrays = {**result.arrays, "rank": result.arrays["rank"] - 1, "target_rank": result.arrays["target_rank"] - 1}
    figure = figures.draw(dataclasses.replace(result, arrays=arrays), "curves", measure="rank")
    np.testing.assert_array_equal(figure.data[0].y, result.arrays["target_rank"][:, -1])
