"""A map over its image: what is hidden, and outlines."""

from __future__ import annotations

import numpy as np
import pytest

from backends.errors import Refused
from tests.viz import samples
from tests.viz.figures.axis_titles import titles
from viz import figures
from viz.figures import image_heat


def test_image_heat_over_the_picture() -> None:
    result = samples.image_attribution(16)
    figure = figures.draw(result, threshold=0.5, outline=samples.truth(16))
    z = np.asarray(figure.data[0].z)
    most = float(np.abs(result.arrays["attribution"]).max())
    assert np.isnan(z).sum() == (np.abs(result.arrays["attribution"]) < 0.5 * most).sum()
    assert figure.layout.images[0].source.startswith("data:image/png;base64,")
    assert figure.layout.coloraxis.cmin == -figure.layout.coloraxis.cmax
    assert "hidden below" in figure.layout.title.subtitle.text
    assert "ground truth" in figure.layout.title.subtitle.text
    assert titles(figure) == ["column (pixel)", "row (pixel)"]
    with pytest.raises(Refused, match=r"the outline has shape \(3, 3\) but the map has \(16, 16\)"):
        figures.draw(result, outline=np.zeros((3, 3), bool))


def test_contour_goes_round_one_cell() -> None:
    mask = np.zeros((3, 3), bool)
    mask[1, 1] = True
    x, y = image_heat.contour(mask)
    assert np.isnan(x).sum() == 4
    assert {(a, b) for a, b in zip(x[~np.isnan(x)], y[~np.isnan(y)], strict=True)} == {
        (0.5, 0.5), (1.5, 0.5), (0.5, 1.5), (1.5, 1.5),
    }  # fmt: skip
