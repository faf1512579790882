"""Bars and coloured text of an attribution over tokens."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.viz import samples
from tests.viz.figures.axis_titles import titles
from viz import figures, theme
from viz.figures import token_strip


def test_token_strip_bars_and_symmetric_scale() -> None:
    result = samples.text_attribution()
    figure = figures.draw(result)
    most = float(np.abs(result.arrays["attribution"]).max())
    np.testing.assert_array_equal(figure.data[0].y, result.arrays["attribution"])
    assert figure.layout.coloraxis.cmin == -most
    assert figure.layout.coloraxis.cmax == most
    assert titles(figure) == ["token (position)", "attribution (logit)"]
    unsigned = figures.draw(samples.text_attribution(signed=False))
    assert unsigned.layout.coloraxis.cmin == 0


def test_token_colours_give_the_text_back() -> None:
    result = samples.text_attribution()
    pieces = token_strip.token_colours(result, scale=(-2, 2))
    assert "".join(p.text for p in pieces if p.text != "[CLS]") == result.facts["text"]
    valued = [p for p in pieces if p.value is not None]
    np.testing.assert_allclose([p.value for p in valued], result.arrays["attribution"])
    assert [p.colour for p in valued] == theme.value_colours(result.arrays["attribution"], -2, 2, "blue-white-red")


def test_token_colours_of_split_characters_name_the_token() -> None:
    result = samples.text_attribution(("é",))
    spans = np.array([[0, 0], [0, 1]], np.int32)
    twice = dataclasses.replace(
        result,
        arrays={"attribution": np.ones(3, np.float32), "span": np.vstack([spans, [[0, 1]]]).astype(np.int32)},
        labels={"token": ("[CLS]", "Ã", "©")},
    )
    assert [p.text for p in token_strip.token_colours(twice)] == ["[CLS]", "é", "©"]
