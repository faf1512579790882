"""How alike two layers are: values, ends of the scale, and which measure it is."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.viz import samples
from tests.viz.figures.axis_titles import titles
from viz import figures


def test_a_layer_is_the_same_as_itself() -> None:
    alike = figures.draw(samples.trajectory(), "similarity")
    np.testing.assert_allclose(np.diag(alike.data[0].z), 1, atol=1e-5)
    assert titles(alike) == ["layer (0 = embedding)", "layer (0 = embedding)"]


def test_the_scale_reaches_below_zero_only_where_values_do() -> None:
    result = samples.trajectory()
    for least, ends in ((0.0, (0, 1)), (-0.5, (-1, 1))):
        values = np.ones((5, 5), np.float32)
        values[0, 1] = values[1, 0] = least
        figure = figures.draw(dataclasses.replace(result, arrays={**result.arrays, "similarity": values}), "similarity")
        np.testing.assert_array_equal(figure.data[0].z, values)
        assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == ends


def test_the_bar_names_the_measure() -> None:
    result = samples.trajectory()
    plain = figures.draw(result, "similarity").layout.coloraxis.colorbar.title.text
    cosine = figures.draw(dataclasses.replace(result, facts={"similarity": "cosine"}), "similarity")
    assert plain == "linear CKA (0 to 1, 1 = the same)"
    assert cosine.layout.coloraxis.colorbar.title.text.startswith("cosine (")
    shared = figures.draw(result, "similarity", scale=(0.0, 0.5))
    assert "values lie beyond the shared scale" in shared.layout.title.subtitle.text
