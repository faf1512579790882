"""Two answers through depth."""

from __future__ import annotations

from tests.viz import causal_samples
from tests.viz.figures.axis_titles import titles
from viz import figures


def test_the_crossing_is_marked() -> None:
    figure = figures.draw(causal_samples.competition())
    assert [line.name for line in figure.data] == ["·Mary", "·John"]
    assert len(figure.layout.shapes) == 1
    assert figure.layout.shapes[0].x0 == 2
    assert figure.layout.annotations[0].text == "lead changes"
    assert "the lead changes at 0 mlp" in figure.layout.title.subtitle.text
    assert titles(figure) == ["after (layer and part)", "logit, read by the final norm (logit)"]
