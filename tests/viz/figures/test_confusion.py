"""Labels and answers: counts, names, what a cell says, and the scale of the counts."""

from __future__ import annotations

import numpy as np

from viz.figures import confusion


def test_the_confusion_matrix_as_a_figure() -> None:
    figure = confusion.matrix(["a", "<b>"], [[3, 1], [0, 2]])
    assert figure.data[0].z.tolist() == [[3, 1], [0, 2]]
    assert figure.data[0].customdata[0][1] == ["a", "<b>"]
    assert "<b>" not in figure.layout.xaxis.ticktext[1]
    assert figure.layout.yaxis.title.text == "label"
    assert "labelled a, answered" in figure.data[0].hovertext[0][1]


def test_counts_are_coloured_from_zero_and_written_where_there_is_room() -> None:
    figure = confusion.matrix(["a", "b"], [[3, 1], [0, 2]])
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 3)
    assert figure.layout.xaxis.title.text == "answer of the model"
    assert figure.layout.yaxis.autorange == "reversed"
    assert np.asarray(figure.data[0].text).tolist() == [[3, 1], [0, 2]]
    assert figure.data[0].hovertext[0][0] == "labelled a, answered a: 3 rows (75% of them)"
    size = confusion.MOST_WRITTEN + 1
    many = confusion.matrix(list(map(str, range(size))), np.zeros((size, size), int).tolist())
    assert many.data[0].text is None
    assert (many.layout.coloraxis.cmin, many.layout.coloraxis.cmax) == (0, 1)
    assert many.data[0].hovertext[0][0].endswith("0 rows (0% of them)")
