"""Norms of the residual stream: values, and the first token that is hidden."""

from __future__ import annotations

import numpy as np
import pytest

from tests.viz import samples
from tests.viz.figures.axis_titles import titles
from viz import figures


def test_norms_are_shown_as_they_are() -> None:
    result = samples.trajectory()
    norms = figures.draw(result, "norms", hide_sink=False)
    np.testing.assert_array_equal(norms.data[0].z, result.arrays["norm"])
    assert titles(norms) == ["input token (position)", "layer (0 = embedding)"]
    assert norms.layout.coloraxis.colorbar.title.text == "residual norm (activation)"
    assert norms.layout.coloraxis.cmin == 0


def test_the_first_token_is_hidden_and_its_norm_said() -> None:
    result = samples.trajectory()
    figure = figures.draw(result, "norms")
    norm = result.arrays["norm"]
    assert np.isnan(np.asarray(figure.data[0].z)[:, 0]).all()
    np.testing.assert_array_equal(np.asarray(figure.data[0].z)[:, 1:], norm[:, 1:])
    assert figure.layout.coloraxis.cmax == pytest.approx(norm[:, 1:].max())
    assert f"its largest norm is {norm[:, 0].max():.3g}" in figure.layout.title.subtitle.text
    assert np.isfinite(result.arrays["norm"]).all()  # the result itself stays whole
