"""One number of every head."""

from __future__ import annotations

import numpy as np
import pytest

from backends.errors import Refused
from tests.viz import samples
from viz import figures
from viz.figures import head_grid


def test_head_grid_shows_each_statistic_with_its_unit() -> None:
    result = samples.attention()
    figure = figures.draw(result, "head_grid", statistic="to_first")
    np.testing.assert_array_equal(figure.data[0].z, result.arrays["to_first"])
    assert "(probability)" in figure.layout.coloraxis.colorbar.title.text
    assert head_grid.statistics(result) == ["entropy", "to_first"]
    with pytest.raises(Refused, match="no head statistic 'size'; there are: entropy, to_first"):
        figures.draw(result, "head_grid", statistic="size")
