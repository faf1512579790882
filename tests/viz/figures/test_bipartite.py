"""Lines between tokens: which are drawn, and how many at most."""

from __future__ import annotations

import numpy as np
import pytest

from tests.viz import samples
from viz import figures
from viz.figures import bipartite


def test_bipartite_draws_the_weights_above_the_threshold() -> None:
    result = samples.attention()
    figure = figures.draw(result, "bipartite", layer=0, head=0, threshold=0.1)
    pattern = result.arrays["pattern"][0, 0].copy()
    pattern[:, 0] = 0
    lines = [t for t in figure.data if t.mode == "lines"]
    ends = {(int(y), int(z)) for t in lines for y, z in zip(t.y[0::3], t.y[1::3], strict=True)}
    assert ends == set(zip(*map(np.ndarray.tolist, np.nonzero(pattern >= 0.1)), strict=True))
    one = figures.draw(result, "bipartite", query=5, threshold=0.01)
    assert {int(y) for t in one.data if t.mode == "lines" for y in t.y[0::3]} == {5}


def test_bipartite_never_draws_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bipartite, "MOST_LINES", 5)
    figure = figures.draw(samples.attention(), "bipartite", threshold=0.0, hide_sink=False)
    assert sum(len(t.y) // 3 for t in figure.data if t.mode == "lines") == 5
    assert "5 of 36 lines" in figure.layout.title.subtitle.text
