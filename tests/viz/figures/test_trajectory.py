"""The residual stream's path along two components."""

from __future__ import annotations

import numpy as np
import pytest

from backends.errors import Refused
from tests.viz import samples
from tests.viz.figures.axis_titles import titles
from viz import figures
from viz.figures import trajectory


def test_a_path_is_drawn_along_the_components_asked_for() -> None:
    result = samples.trajectory()
    path = figures.draw(result, components=(0, 2), positions=[1, 2])
    np.testing.assert_array_equal(path.data[0].x, result.arrays["path"][:, 1, 0])
    np.testing.assert_array_equal(path.data[1].y, result.arrays["path"][:, 2, 2])
    assert path.layout.yaxis.scaleanchor == "x"
    assert titles(path)[0] == "principal component 1 (62% of the variance, activation)"
    with pytest.raises(Refused, match=r"along two of its 3 components, not \(0, 7\)"):
        figures.draw(result, components=(0, 7))


def test_without_positions_the_last_are_drawn_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    result = samples.trajectory()
    figure = figures.draw(result)
    assert [line.name for line in figure.data] == ["·Mary (1)", "·and (2)", "·John (3)", "·went (4)", "·to (5)"]
    assert figure.layout.title.subtitle.text == "first token hidden"
    assert len(figures.draw(result, hide_sink=False).data) == 6
    monkeypatch.setattr(trajectory, "MOST_PATHS", 2)
    few = figures.draw(result)
    assert [line.name for line in few.data] == ["·went (4)", "·to (5)"]
    assert "the last 2 of 6 positions" in few.layout.title.subtitle.text
