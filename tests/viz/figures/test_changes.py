"""A few changes side by side, and what the network then answers."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.viz import causal_samples
from tests.viz.figures.axis_titles import titles
from viz import figures


def test_changes_are_bars_and_the_answer_after_them_is_said() -> None:
    result = causal_samples.changes()
    bars = figures.draw(result)
    assert list(bars.data[0].x) == ["0.1.5.3", "head 0.0", "together"]
    assert "then the first answer is ·John" in bars.layout.title.subtitle.text
    np.testing.assert_array_equal(bars.data[0].y, result.arrays["effect"])
    assert titles(bars) == ["change (layer.head.query.key, or head)", "change of the answer (logit)"]


def test_without_an_answer_after_them_nothing_is_said() -> None:
    for facts in ({}, {"after": []}, {"after": [{"probability": 0.6}]}):
        figure = figures.draw(dataclasses.replace(causal_samples.changes(), facts=facts))
        assert not figure.layout.title.subtitle.text
