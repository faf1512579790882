"""A plain figure of a result that no builder knows: its first array of one or two axes, as bars or as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from viz import theme
from viz.figures.scale import Scale, beyond, coloraxis, finish, heading, limits, quantity
from viz.figures.words import names, places, plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

FIRST = False


def accepts(result: Result) -> bool:
    """Whether any array of numbers has one or two axes."""
    return bool(drawable(result))


def drawable(result: Result) -> str:
    """The first array of numbers with one or two axes; "" where there is none."""
    fitting = (name for name, axes in result.axes.items() if 0 < len(axes) < 3)
    return next((name for name in fitting if np.issubdtype(result.arrays[name].dtype, np.number)), "")


def draw(result: Result, scale: Scale | None = None, colours: str | None = None, dark: bool = False) -> Figure:
    """Bars along one axis; of two axes a heat map, the first down and the second across."""
    import plotly.graph_objects as go

    name = drawable(result)
    values = np.asarray(result.arrays[name], np.float32)
    axes = [axis.replace("_", " ") for axis in result.axes[name]]
    labels = [ticks(names(result, axis, size)) for axis, size in zip(result.axes[name], values.shape, strict=True)]
    noun = plain(name.replace("_", " "))
    title = heading(result, name.replace("_", " "))
    if values.ndim == 1:
        figure = go.Figure(go.Bar(x=labels[0], y=values, marker_color=theme.palette(dark)[0],
                                  hovertemplate=f"{plain(axes[0])} %{{x}}: %{{y:.4g}}<extra></extra>"))  # fmt: skip
        figure.update_xaxes(title_text=plain(axes[0]), type="category")
        figure.update_yaxes(title_text=quantity(noun, result.unit))
        return finish(figure, title, [], dark, 400)
    ends = scale or limits(values, result.signed)
    hover = f"{plain(axes[0])} %{{y}}, {plain(axes[1])} %{{x}}<br>{noun} %{{z:.4g}}<extra></extra>"
    figure = go.Figure(go.Heatmap(z=values, x=labels[1], y=labels[0], coloraxis="coloraxis", hovertemplate=hover))
    figure.update_layout(coloraxis=coloraxis(result.signed, ends, quantity(noun, result.unit), colours))
    figure.update_xaxes(title_text=plain(axes[1]), type="category", showgrid=False)
    figure.update_yaxes(title_text=plain(axes[0]), type="category", showgrid=False)
    return finish(figure, title, [beyond(values, ends)], dark, 460)


def ticks(labels: Sequence[str]) -> list[str]:
    """The labels of an axis; with their places where two are equal."""
    return places(labels) if len(set(labels)) < len(labels) else [plain(label, 20) for label in labels]
