"""One head's weights as a heat map: its values, its sink, its scale, and long patterns in blocks."""

from __future__ import annotations

import numpy as np
import pytest

from tests.viz import samples
from tests.viz.figures.axis_titles import titles
from viz import figures
from viz.figures import token_heat


def test_token_heat_shows_the_head_and_hides_the_sink_without_renormalising() -> None:
    result = samples.attention()
    figure = figures.draw(result, layer=1, head=2)
    z = np.asarray(figure.data[0].z)
    assert z.dtype == np.float32
    assert np.isnan(z[:, 0]).all()
    np.testing.assert_array_equal(z[:, 1:], result.arrays["pattern"][1, 2][:, 1:])
    assert figure.layout.coloraxis.cmin == 0
    assert figure.layout.coloraxis.cmax == pytest.approx(result.arrays["pattern"][1, 2][:, 1:].max())
    assert "not renormalised" in figure.layout.title.subtitle.text
    assert figure.layout.coloraxis.colorbar.title.text == "attention weight (probability)"
    assert titles(figure) == ["key token (position)", "query token (position)"]
    whole = figures.draw(result, layer=1, head=2, hide_sink=False)
    np.testing.assert_array_equal(whole.data[0].z, result.arrays["pattern"][1, 2])
    assert not whole.layout.title.subtitle.text


def test_scale_is_kept_and_clipping_is_said() -> None:
    figure = figures.draw(samples.attention(), scale=(0, 0.1), hide_sink=False)
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 0.1)
    assert "lie beyond the shared scale" in figure.layout.title.subtitle.text


def test_pool_keeps_the_largest_magnitude() -> None:
    values = np.array([[1, 2, -9], [3, 0, 4], [-1, -2, 0.5]], np.float32)
    small, blocks = token_heat.pool(values, 2)
    np.testing.assert_array_equal(small, [[3, -9], [-2, 0.5]])
    assert blocks == (2, 2)
    np.testing.assert_array_equal(token_heat.pool(values, 3)[0], values)


def test_long_patterns_are_pooled_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_heat, "WIDEST", 4)
    figure = figures.draw(samples.attention(), hide_sink=False)
    assert np.shape(figure.data[0].z) == (4, 4)
    assert len(figure.data[0].x) == 4
    assert "each cell is the largest of 2 × 2" in figure.layout.title.subtitle.text
