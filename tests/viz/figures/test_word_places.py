"""A generated image and where its words landed, all maps on one scale."""

from __future__ import annotations

import numpy as np
import pytest

from tests.viz.paintings import WORDS, drawing
from viz import figures
from viz.figures import word_places


def test_the_image_comes_first_then_each_words_map() -> None:
    result = drawing()
    assert figures.available(result)[0] == "word_places"
    figure = figures.draw(result)
    assert [trace.type for trace in figure.data] == ["image"] + ["heatmap"] * len(WORDS)
    for trace, values in zip(figure.data[1:], result.arrays["map"], strict=True):
        np.testing.assert_array_equal(trace.z, values)
        assert trace.coloraxis == "coloraxis"
    assert [note.text for note in figure.layout.annotations] == ["the picture", *WORDS]
    assert figure.layout.coloraxis.cmin == 0
    assert figure.layout.coloraxis.cmax == pytest.approx(result.arrays["map"].max())
    assert figure.layout.coloraxis.colorbar.title.text == "attention (summed over steps)"
    assert "maps of 8 × 8 places, on one scale; attention is correlation" in figure.layout.title.subtitle.text


def test_of_many_words_the_strongest_are_shown_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_places, "MOST", 2)
    figure = figures.draw(drawing())
    assert [note.text for note in figure.layout.annotations] == ["the picture", "red", "circle"]
    assert "the 2 strongest of 7 words" in figure.layout.title.subtitle.text


def test_a_prompt_is_only_words() -> None:
    figure = figures.draw(drawing(text="<b>a</b> red circle"), scale=(0.0, 9.0))
    assert "<b>" not in figure.layout.title.text
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 9)
