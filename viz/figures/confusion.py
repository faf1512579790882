"""Which answers stand for which labels: counts, one row a label, one column an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from viz.figures.scale import coloraxis, finish
from viz.figures.words import plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST_WRITTEN = 15
"""Classes up to which each cell holds its number."""


def matrix(classes: Sequence[str], counts: Sequence[Sequence[int]], dark: bool = False) -> Figure:
    """The confusion matrix `counts` (label, answer); each cell's `customdata` is its label and its answer."""
    from plotly.graph_objects import Figure, Heatmap

    values, places = np.asarray(counts), list(range(len(classes)))
    names = [plain(name, 24) for name in classes]
    written = len(classes) <= MOST_WRITTEN
    share = values / np.maximum(values.sum(1, keepdims=True), 1)
    told = [
        [f"labelled {a}, answered {b}: {n} rows ({p:.0%} of them)" for b, n, p in zip(names, row, part, strict=True)]
        for a, row, part in zip(names, values, share, strict=True)
    ]
    figure = Figure(
        Heatmap(
            z=values, x=places, y=places, customdata=[[[a, b] for b in classes] for a in classes],
            text=values if written else None, texttemplate="%{text}" if written else None,
            hovertext=told, hoverinfo="text", coloraxis="coloraxis", xgap=1, ygap=1,
        )
    )  # fmt: skip
    axis = {"tickmode": "array", "tickvals": places, "ticktext": names, "showgrid": False, "zeroline": False}
    figure.update_layout(
        coloraxis=coloraxis(False, (0.0, float(max(values.max(), 1))), "rows"),
        xaxis={**axis, "title": {"text": "answer of the model"}, "constrain": "domain"},
        yaxis={**axis, "title": {"text": "label"}, "autorange": "reversed"},
        dragmode=False,
    )
    height = 210 + min(44 * len(classes), 560)
    figure = finish(figure, "Labels and answers", ["a click shows a cell's rows"], dark, height)
    return figure.update_layout(margin={"t": 64, "b": 48, "r": 16})
