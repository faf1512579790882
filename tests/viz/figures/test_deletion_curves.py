"""Deletion and insertion: which end they begin at, and colours that stay."""

from __future__ import annotations

from viz.figures import deletion_curves

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


def test_methods_that_were_not_chosen_can_be_in_the_figure_unseen() -> None:
    figure = deletion_curves.both({"A": CURVE, "B": CURVE}, ORDERS, ["B"], hidden=True)
    assert {(t.name, t.visible, t.meta["chosen"]) for t in figure.data if t.meta} == {
        ("A", False, False),
        ("B", True, True),
    }
    assert [t.name for t in figure.data if t.showlegend] == ["random orders", "B"]


def test_a_method_keeps_its_colour_whichever_others_are_shown() -> None:
    many = {f"M{i}": CURVE for i in range(8)}
    alone = deletion_curves.both(many, [], ["M7"]).data[0].line
    among = next(t for t in deletion_curves.both(many, [], list(many)).data if t.name == "M7").line
    assert (alone.color, alone.dash) == (among.color, among.dash)
    first = deletion_curves.both(many, [], ["M1"]).data[0].line
    assert first.color == alone.color  # the seventh colour is the first again
    assert first.dash != alone.dash
