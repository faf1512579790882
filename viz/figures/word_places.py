"""A generated picture and, beside it, where each word of its prompt landed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from viz.figures.scale import Scale, coloraxis, finish, heading, limits, quantity
from viz.figures.words import plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

FIRST = True
MOST = 19
"""Words that one figure shows; those with the largest values."""
ACROSS = 5


def accepts(result: Result) -> bool:
    """Whether the result is one map a word beside a picture."""
    return result.axes.get("map") == ("word", "row", "column") and "image" in result.arrays


def draw(result: Result, scale: Scale | None = None, dark: bool = False) -> Figure:
    """The picture, then each word's map at its own resolution; all maps on one scale."""
    from plotly.graph_objects import Heatmap, Image
    from plotly.subplots import make_subplots

    maps, words = result.arrays["map"], result.labels["word"]
    shown = sorted(np.argsort(-maps.max((1, 2)), kind="stable")[:MOST].tolist())
    across = min(ACROSS, len(shown) + 1)
    down = -(-(len(shown) + 1) // across)
    titles = ["the picture", *[plain(words[i], 24) for i in shown]]
    figure = make_subplots(down, across, subplot_titles=titles, horizontal_spacing=0.02, vertical_spacing=0.12 / down)
    figure.add_trace(Image(z=result.arrays["image"], hoverinfo="skip"), 1, 1)
    for place, word in enumerate(shown, 1):
        name = plain(words[word], 24)
        trace = Heatmap(z=maps[word], coloraxis="coloraxis", hovertemplate=f"{name}: %{{z:.4g}}<extra></extra>")
        figure.add_trace(trace, place // across + 1, place % across + 1)
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, autorange="reversed", scaleratio=1, constrain="domain")
    for n in range(1, len(shown) + 2):
        figure.layout[f"yaxis{n if n > 1 else ''}"].scaleanchor = f"x{n if n > 1 else ''}"
    ends = scale or limits(maps[shown], result.signed)
    figure.update_layout(coloraxis=coloraxis(result.signed, ends, quantity("attention", "summed over steps")))
    left = f"; the {len(shown)} strongest of {len(words)} words" if len(shown) < len(words) else ""
    note = f"maps of {maps.shape[1]} × {maps.shape[2]} places, on one scale{left}; attention is correlation"
    title = heading(result, f"where each word of “{result.facts.get('text', '')}” landed")
    return finish(figure, title, [note], dark, 140 + 190 * down)
