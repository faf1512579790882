"""Figures of the evidence page: their values, ranges, what stands out, and that words are only words."""

from __future__ import annotations

import numpy as np
import pytest

from tests.viz import samples
from viz.figures import deletion_curves, method_agreement, part_effects, verdicts

CURVE = {"hidden": [0, 0.5, 1], "brightest_first": [9, 2, 0], "darkest_first": [9, 8, 0]}
ORDERS = [
    {"hidden": [0, 0.5, 1], "brightest_first": [9, 6, 0], "darkest_first": [9, 5, 0]},
    {"hidden": [0, 0.5, 1], "brightest_first": [9, 4, 0], "darkest_first": [9, 7, 0]},
]


def test_deletion_reads_hidden_and_insertion_reads_shown() -> None:
    figure = deletion_curves.both({"A": CURVE, "<b>B": CURVE}, ORDERS, ["<b>B"], "urgent", "logit")
    band, line, band_right, line_right = figure.data
    assert list(line.x) == [0, 50, 100]
    assert list(line.y) == [9, 2, 0]
    assert list(line_right.x) == [100, 50, 0]  # nothing hidden is everything shown
    assert list(line_right.y) == [9, 8, 0]
    assert line.name == "&lt;b&gt;B"
    assert list(band.x) == [0, 50, 100, 100, 50, 0]
    assert list(band.y) == [9, 4, 0, 0, 6, 9]
    assert list(band_right.y) == [9, 5, 0, 0, 7, 9]
    assert (line.showlegend, line_right.showlegend) == (True, False)
    assert figure.layout.yaxis.title.text == "score of urgent (logit)"
    assert figure.layout.xaxis.title.text == "hidden (% of the input)"
    assert figure.layout.xaxis2.title.text == "shown (% of the input)"


def test_a_method_keeps_its_colour_whichever_others_are_shown() -> None:
    many = {f"M{i}": CURVE for i in range(8)}
    alone = deletion_curves.both(many, [], ["M7"]).data[0].line
    among = next(t for t in deletion_curves.both(many, [], list(many)).data if t.name == "M7").line
    assert (alone.color, alone.dash) == (among.color, among.dash)
    first = deletion_curves.both(many, [], ["M1"]).data[0].line
    assert first.color == alone.color  # the seventh colour is the first again
    assert first.dash != alone.dash


def test_what_copies_reach_too_stands_in_brackets() -> None:
    similarity = [[1, 0.8, -0.1], [0.8, 1, 0.3], [-0.1, 0.3, 1]]
    p = [[0.002, 0.01, 0.7], [0.04, 0.002, 0.01], [0.6, 0.06, 0.002]]
    figure = method_agreement.matrix(["A", "B", "C"], similarity, p)
    heat = figure.data[0]
    np.testing.assert_allclose(heat.z, similarity, atol=1e-6)
    assert [list(row) for row in heat.text] == [
        ["", "0.80", "(−0.10)"],
        ["0.80", "", "(0.30)"],
        ["(−0.10)", "(0.30)", ""],
    ]
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (-1, 1)
    assert "p = 0.060" in heat.hovertext[1][2]


ROWS = [
    {"method": "a", "rows": 4, "holds": 3, "cannot_tell": 1, "fails": 0, "rate": 0.75, "low": 0.3, "high": 0.95},
    {"method": "b", "rows": 0, "holds": 0, "cannot_tell": 0, "fails": 0, "rate": 0.0, "low": 0.0, "high": 1.0},
]


@pytest.mark.parametrize("dark", [False, True])
def test_bars_are_shares_and_the_dot_is_the_rate_with_its_interval(dark: bool) -> None:
    figure = verdicts.bars(ROWS, {"a": "Method A"}, dark)
    holds, cannot, fails, rate = figure.data
    assert list(holds.x) == [75, 0]
    assert list(cannot.x) == [25, 0]
    assert list(fails.x) == [0, 0]
    assert len({bar.marker.pattern.shape for bar in (holds, cannot, fails)}) == 3  # colour never tells alone
    assert list(rate.x) == [75, 0]
    assert list(rate.error_x.array) == pytest.approx([20, 100])
    assert list(rate.error_x.arrayminus) == pytest.approx([45, 0])
    assert figure.layout.yaxis.ticktext[0] == "Method A "
    assert figure.layout.barmode == "stack"


def test_what_matters_stands_out_and_words_keep_their_order() -> None:
    result = samples.parts()
    figure = part_effects.draw(result)
    matters, rest = figure.data
    found = np.asarray(result.arrays["found"], bool)
    assert list(matters.x) == pytest.approx(result.arrays["effect"][found])
    assert len(rest.x) == (~found).sum()
    assert list(matters.error_x.array) == pytest.approx([0.5] * found.sum())
    assert (matters.marker.symbol, rest.marker.symbol) == ("circle", "circle-open")
    assert [t.strip() for t in figure.layout.yaxis.ticktext] == list(result.labels["part"])
    assert {line.x0 for line in figure.layout.shapes} == {-0.2, 0.2}


def test_of_many_squares_those_found_come_first_and_the_rest_is_told() -> None:
    result = samples.parts(squares=True)
    figure = part_effects.draw(result, most=5)
    shown = part_effects.largest(result, 5)
    assert set(np.flatnonzero(result.arrays["found"])) <= set(shown)
    assert [result.arrays["effect"][i] for i in shown] == sorted(
        (result.arrays["effect"][i] for i in shown), reverse=True
    )
    assert "11 smaller left out" in figure.layout.title.subtitle.text
