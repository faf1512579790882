"""Token by token: how much each query token attends to each key token, for one layer and head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from viz.figures.scale import Scale, beyond, coloraxis, finish, heading, limits, quantity
from viz.figures.words import index, names, places, token_names

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

FIRST = True
WIDEST = 512
"""Beyond this many tokens blocks of cells are drawn as one, each with its largest value."""


def accepts(result: Result) -> bool:
    """Whether the result holds attention patterns (layer, head, query, key)."""
    return result.axes.get("pattern") == ("layer", "head", "query", "key")


def head_pattern(result: Result, layer: int | str = 0, head: int | str = 0) -> tuple[np.ndarray, str, str]:
    """One head's pattern (query, key), and the layer's and the head's names."""
    pattern = result.arrays["pattern"]
    layers, heads = names(result, "layer", pattern.shape[0]), names(result, "head", pattern.shape[1])
    one, other = index(result, "layer", len(layers), layer), index(result, "head", len(heads), head)
    return np.asarray(pattern[one, other], np.float32), layers[one], heads[other]


def pool(values: np.ndarray, most: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Blocks of cells as their entry of largest magnitude, so that at most `most` rows and columns remain.

    Returns the smaller map and how many cells a block has along each axis.
    """
    steps = [-(-size // most) for size in values.shape]
    for axis, step in enumerate(steps):
        if step > 1:
            starts = np.arange(0, values.shape[axis], step)
            high = np.fmax.reduceat(values, starts, axis=axis)
            low = np.fmin.reduceat(values, starts, axis=axis)
            values = np.where(-low > high, low, high)
    return np.ascontiguousarray(values), (steps[0], steps[1])


def draw(
    result: Result,
    layer: int | str = 0,
    head: int | str = 0,
    hide_sink: bool = True,
    scale: Scale | None = None,
    dark: bool = False,
) -> Figure:
    """The pattern of one head as a heat map, query tokens down, key tokens across.

    `hide_sink` blanks the first token's column, which often takes most of the weight; nothing is renormalised.
    """
    import plotly.graph_objects as go

    pattern, layer_name, head_name = head_pattern(result, layer, head)
    notes = []
    if hide_sink and pattern.shape[1] > 1:
        share = float(pattern[:, 0].mean())
        pattern = pattern.copy()
        pattern[:, 0] = np.nan
        notes.append(f"first token hidden (it takes {share:.0%} of the weight); the rest is not renormalised")
    rows = token_names(result, pattern.shape[0], ("query", "token"))
    columns = token_names(result, pattern.shape[1], ("key", "token"))
    ends = scale or limits(pattern, signed=False)
    notes.append(beyond(pattern, ends))
    small, (down, across) = pool(pattern, WIDEST)
    if down > 1 or across > 1:
        notes.append(f"each cell is the largest of {down} × {across}")
    bar = quantity("attention weight", result.unit or "probability")
    figure = go.Figure(
        go.Heatmap(
            z=small,
            x=places(columns)[::across],
            y=places(rows)[::down],
            coloraxis="coloraxis",
            hovertemplate="%{y} attends to %{x}<br>weight %{z:.4f}<extra></extra>",
            hoverongaps=False,
        )
    )
    figure.update_layout(coloraxis=coloraxis(False, ends, bar))
    figure.update_xaxes(title_text="key token (position)", tickangle=-60, showgrid=False, constrain="domain")
    figure.update_yaxes(title_text="query token (position)", autorange="reversed", showgrid=False, constrain="domain")
    if len(rows) == len(columns):
        figure.update_yaxes(scaleanchor="x", scaleratio=1)
    return finish(figure, heading(result, f"layer {layer_name}, head {head_name}"), notes, dark, 620)
