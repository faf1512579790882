"""Attention looks important, removing it matters: every head as a point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from viz import theme
from viz.figures.scale import finish, heading, quantity
from viz.figures.words import names, plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

FIRST = True
NAMED = 10
"""Heads that are written beside their points: those that matter most and those that look most sharply."""


def accepts(result: Result) -> bool:
    """Whether the result has each head's salience and deviation."""
    return result.axes.get("salience") == result.axes.get("deviation") == ("layer", "head")


def draw(result: Result, dark: bool = False) -> Figure:
    """How sharply each head looks, across, and how far the answer moves without it, upwards."""
    import plotly.graph_objects as go

    deviation, salience = (np.asarray(result.arrays[n], np.float32) for n in ("deviation", "salience"))
    colours = theme.palette(dark)
    figure = go.Figure()
    named = standing_out(deviation) | standing_out(salience)
    layers, heads = names(result, "layer", len(deviation)), names(result, "head", deviation.shape[1])
    for number, layer in enumerate(layers):
        figure.add_scatter(
            x=salience[number],
            y=deviation[number],
            mode="markers+text",
            name=f"layer {plain(layer)}",
            text=[f"{plain(layer)}.{plain(head)}" if named[number, at] else "" for at, head in enumerate(heads)],
            textposition=[("top center", "bottom center")[(number + at) % 2] for at in range(len(heads))],
            customdata=[f"head {plain(layer)}.{plain(head)}" for head in heads],
            marker={"size": 10, "color": colours[number % len(colours)], "symbol": number % 10},
            hovertemplate="%{customdata}<br>sharpness %{x:.3f}, deviation %{y:.3f}<extra></extra>",
        )
    figure.update_xaxes(title_text="how sharply it looks from the answer's token (0 to 1)")
    figure.update_yaxes(title_text=quantity("how far the answer moves without it", result.unit))
    facts = result.facts
    notes = [f"specialization {facts['specialization']:.3g}"] if facts.get("specialization") is not None else []
    notes += [f"focus {facts['focus']:.2f}"] if facts.get("focus") is not None else []
    notes += [f"rank correlation {facts['agreement']:.2f}"] if facts.get("agreement") is not None else []
    return finish(figure, heading(result), notes, dark, 420)


def standing_out(values: np.ndarray) -> np.ndarray:
    """Where the largest values of a grid are (layer, head), at most `NAMED` of them."""
    least = np.sort(values, axis=None)[-min(NAMED, values.size)]
    return values >= least
