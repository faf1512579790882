"""The words that speak most for and against the answer: which, in what order, how often."""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.results import Result
from tests.viz.figures.axis_titles import titles
from viz import figures
from viz.figures import mean_words

WORDS = ("severe", "no", "<b>pain", "rare")


def table(mean_of: int = 12, **more: Any) -> Result:
    """The means of four words, one of which occurs once."""
    arrays = {
        "mean": np.array([0.5, -1.0, 2.0, 9.0], np.float32),
        "count": np.array([4, 3, 2, 1], np.int32),
    }
    facts = {"mean_of": mean_of}
    axes = {"mean": ("word",), "count": ("word",)}
    return Result("occlusion", arrays, axes, {"word": WORDS}, "logit", True, "urgent", facts, **more)


def test_of_many_rows_a_word_that_occurs_once_proves_little() -> None:
    assert mean_words.strongest(table(12)) == [2, 0, 1]
    assert mean_words.strongest(table(3)) == [3, 2, 0, 1]
    assert mean_words.strongest(table(12), least=1) == [3, 2, 0, 1]
    assert mean_words.strongest(table(12), least=99) == [3, 2, 0, 1]  # rather rare words than none


def test_the_largest_either_way_are_kept_and_stand_in_order() -> None:
    assert mean_words.strongest(table(), most=2) == [2, 1]


def test_bars_with_counts_and_a_symmetric_scale() -> None:
    result = table()
    assert figures.available(result)[0] == "mean_words"
    figure = figures.draw(result)
    (bars,) = figure.data
    assert list(bars.x) == [2.0, 0.5, -1.0]
    assert figure.layout.yaxis.ticktext == ("&lt;b&gt;pain (×2)", "severe (×4)", "no (×3)")
    assert figure.layout.yaxis.autorange == "reversed"
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (-2, 2)
    assert titles(figure) == ["mean attribution (logit)", "word (how often)"]
    assert bars.hovertext[2] == "no (×3): -1 logit"
    assert "in 12 rows" in figure.layout.title.subtitle.text
    shared = figures.draw(result, scale=(-5.0, 5.0))
    assert (shared.layout.coloraxis.cmin, shared.layout.coloraxis.cmax) == (-5, 5)
