"""A figure on a page: its name, the buttons that save it, and its numbers as a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from viz.components import graph


def rows_of(table: Any) -> list[list[str]]:
    """The cells of a table as text, row by row."""
    return [[cell.children for cell in row.children] for row in table._traverse() if type(row).__name__ == "Tr"]


def test_a_figure_is_named_saved_under_its_id_and_sent_nowhere() -> None:
    figure = go.Figure(go.Scatter(x=[0, 1], y=[0.25, 1.0], name="rank"), layout={"height": 310})
    box = graph.picture("causal-race", figure, "Ranks by layer", "ranks")
    drawn, below = box.children
    assert getattr(box, "aria-label") == "Ranks by layer"
    assert (drawn.id, drawn.style) == ("causal-race", {"height": "310px"})
    assert drawn.config["showSendToCloud"] is False
    assert drawn.config["toImageButtonOptions"]["filename"] == "ranks"
    saves = below.children[0].children
    assert [getattr(button, "data-save") for button in saves] == ["png", "svg"]
    assert {getattr(button, "data-picture") for button in saves} == {"causal-race"}
    assert getattr(saves[0], "aria-label") == "Save Ranks by layer as PNG"
    assert rows_of(below)[1] == ["0", "0.25"]
    assert not hasattr(saves[0], "data-key")
    kept = graph.picture("causal-race", figure, "Ranks by layer", "ranks", "k" * 64).children[1].children[0].children
    assert {getattr(button, "data-key") for button in kept} == {"k" * 64}  # saved as the page of its result


def test_a_heat_map_is_a_table_with_plain_names_and_gaps() -> None:
    z = [[0.123456, np.nan], [1.0, -2.0]]
    table = graph.table(go.Figure(go.Heatmap(z=z, x=["&lt;b&gt;", "a\u200b"], y=["layer 0", "layer 1"])))
    assert rows_of(table) == [["", "<b>", "a"], ["layer 0", "0.1235", ""], ["layer 1", "1", "-2"]]


def test_lines_over_the_same_places_share_a_table() -> None:
    one, two = go.Scatter(x=[0, 1], y=[1.0, 2.0], name="Mary"), go.Scatter(x=[0, 1], y=[3.0, 4.0], name="John")
    assert rows_of(graph.table(go.Figure([one, two]))) == [["layer", "Mary", "John"], ["0", "1", "3"], ["1", "2", "4"]]


@pytest.mark.parametrize(
    "traces",
    [
        [go.Heatmap(z=np.zeros((30, 30)))],
        [go.Scatter(x=[0, 1], y=[1, 2]), go.Scatter(x=[0, 2], y=[1, 2])],
        [go.Bar(x=[0, 1], y=[1, 2])],
    ],
)
def test_what_is_long_or_has_other_places_has_no_table(traces: list[Any]) -> None:
    figure = go.Figure(traces)
    assert graph.table(figure) is None
    assert not any(type(part).__name__ == "Details" for part in graph.picture("id", figure, "words")._traverse())
