"""Do the methods say the same of one input? Rank correlations of their maps, one row and one column a method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from viz.figures.scale import coloraxis, finish
from viz.figures.words import plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

CHANCE = 0.05
"""From this p value on, two maps are no more alike than copies of them are."""


def matrix(
    titles: Sequence[str], similarity: Sequence[Sequence[float]], p: Sequence[Sequence[float]], dark: bool = False
) -> Figure:
    """Rank correlation (method, method), −1 to 1; in brackets what copies of the maps reach, too."""
    from plotly.graph_objects import Figure, Heatmap

    values, chance = np.asarray(similarity, np.float32), np.maximum(np.asarray(p), np.asarray(p).T)
    places, names = range(len(titles)), [plain(title, 26) for title in titles]
    text = [["" if i == j else _number(values[i, j], chance[i, j]) for j in places] for i in places]
    told = [
        [f"{names[i]} and {names[j]}: {values[i, j]:.2f}, p = {chance[i, j]:.3f} against copies" for j in places]
        for i in places
    ]
    figure = Figure(
        Heatmap(
            z=values, x=names, y=names, text=text, texttemplate="%{text}", textfont={"size": 11}, hovertext=told,
            hoverinfo="text", coloraxis="coloraxis",
        )
    )  # fmt: skip
    axis = {"type": "category", "showgrid": False, "zeroline": False, "title": {"text": "method"}}
    figure.update_layout(
        coloraxis=coloraxis(True, (-1.0, 1.0), "rank correlation (−1 to 1)"),
        xaxis={**axis, "tickangle": -50, "constrain": "domain"},
        yaxis={**axis, "autorange": "reversed"},
        dragmode=False,
    )
    note = "1: the same order of places; in brackets: copies of the maps are as alike"
    return finish(figure, "How far the methods agree", [note], dark, 250 + 30 * len(places))


def _number(value: float, p: float) -> str:
    text = f"{value:.2f}".replace("-", "−")
    return text if p < CHANCE else f"({text})"
