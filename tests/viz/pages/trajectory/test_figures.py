"""The page's curves and pictures of states."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from backends.errors import Refused
from tests.viz import samples
from tests.viz.pages.trajectory.cases import lens
from viz.pages.trajectory import figures


def test_at_most_five_words_are_followed() -> None:
    assert figures.with_token([1], 1) == [1]
    with pytest.raises(Refused, match="at most 5 words are followed besides the answer"):
        figures.with_token([1, 2, 3, 4, 5], 6)
    with pytest.raises(Refused, match="type a word of the vocabulary"):
        figures.with_token([], "")


def test_curves_of_several_tokens_differ_in_colour_dash_and_mark() -> None:
    other = lens([5, 2, 2], followed={"target": 4})
    figure = figures.curves(lens([2, 1, 1]), [other, other], "rank", 1)
    assert [t.name for t in figure.data] == ["·Mary", "&lt;b&gt;John&lt;/b&gt;"]
    np.testing.assert_array_equal(figure.data[1].y, [5, 2, 2])
    one, two = figure.data
    assert one.line.color != two.line.color
    assert one.line.dash != two.line.dash
    assert one.marker.symbol != two.marker.symbol
    assert figure.layout.title.subtitle.text == "after “·to” (position 1)"
    assert len(figures.curves(lens([2, 1, 1]), [other], "entropy", 1).data) == 1


def test_similarity_is_cka_or_cosine_and_says_which() -> None:
    result = samples.trajectory()
    cosine = np.eye(5, dtype=np.float32)
    both = dataclasses.replace(
        result, arrays={**result.arrays, "cosine": cosine}, axes={**result.axes, "cosine": ("layer", "layer")}
    )
    np.testing.assert_array_equal(figures.as_similarity(both, "cosine").arrays["similarity"], cosine)
    assert "cosine" in figures.states(both, "similarity", 0, "cosine", False, True).layout.title.text
    assert "linear CKA" in figures.states(both, "similarity", 0, "cka", False, True).layout.title.text


def test_views_of_the_states_show_one_position_or_all_and_say_what_is_missing() -> None:
    result = samples.trajectory()
    assert len(figures.states(result, "path", 3, "cka", True, True).data) == 1
    assert len(figures.states(result, "path", 3, "cka", False, False).data) == 6
    assert "too few tokens" in figures.states(result, "dimension", 0, "cka", False, True)
    arrays = {**result.arrays, "dimension": np.array([2, 3, 4, 3, 2], np.float32)}
    full = dataclasses.replace(result, arrays=arrays, axes={**result.axes, "dimension": ("layer",)})
    figure = figures.states(full, "dimension", 0, "cka", False, True)
    np.testing.assert_array_equal(figure.data[0].y, [2, 3, 4, 3, 2])
    assert figure.layout.yaxis.title.text == "intrinsic dimension (directions)"
