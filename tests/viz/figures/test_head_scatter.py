"""Every head as a point, and which of them are named."""

from __future__ import annotations

import numpy as np

from tests.viz import causal_samples
from tests.viz.figures.axis_titles import titles
from viz import figures
from viz.figures import head_scatter


def test_heads_are_points() -> None:
    figure = figures.draw(causal_samples.statistics())
    assert [len(trace.x) for trace in figure.data] == [3, 3]
    assert "specialization 0.2 · focus 0.50 · rank correlation -0.10" in figure.layout.title.subtitle.text
    assert figure.data[1].text[0] == "1.0"
    assert figure.data[1].customdata[0] == "head 1.0"
    assert titles(figure) == [
        "how sharply it looks from the answer's token (0 to 1)",
        "how far the answer moves without it (logit)",
    ]


def test_of_many_heads_only_those_that_stand_out_are_named() -> None:
    rng = np.random.default_rng(2)
    values = rng.random((12, 12)).astype(np.float32)
    assert int(head_scatter.standing_out(values).sum()) == head_scatter.NAMED
    assert head_scatter.standing_out(values)[np.unravel_index(values.argmax(), values.shape)]
    assert head_scatter.standing_out(values[:1, :3]).all()
