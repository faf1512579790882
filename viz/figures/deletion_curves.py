"""The answer as more and more of the input is hidden or shown, brightest first, for several methods at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from viz import theme
from viz.figures.scale import finish, quantity
from viz.figures.words import plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Curve = Mapping[str, Sequence[float]]
HEIGHT = 530
PANELS = (
    ("brightest_first", "Deletion: brightest hidden first", "hidden (% of the input)", "lower is better"),
    ("darkest_first", "Insertion: brightest shown first", "shown (% of the input)", "higher is better"),
)


def both(
    curves: Mapping[str, Curve], orders: Sequence[Curve], shown: Sequence[str], target: str = "", unit: str = "",
    dark: bool = False, hidden: bool = False,
) -> Figure:  # fmt: skip
    """Deletion on the left and insertion on the right; a method keeps its colour whichever others are `shown`.

    With `hidden` the others are in the figure too, unseen, so that the browser can show them.

    `curves` are those of `backends.evidence.measures.curves` by method, `orders` those of smooth random orders: their
    range is the band.
    """
    from plotly.subplots import make_subplots

    titles = [f"{title}<br>({better})" for _, title, _, better in PANELS]
    figure = make_subplots(1, 2, shared_yaxes=True, horizontal_spacing=0.05, subplot_titles=titles)
    for column, (name, _, axis, _) in enumerate(PANELS, 1):
        if orders:
            _band(figure, orders, name, column, dark)
        for i, (title, curve) in enumerate(curves.items()):
            if title in shown or hidden:
                _line(figure, i, title, curve, name, column, dark, title in shown)
        figure.update_xaxes(title_text=axis, range=[-2, 102], col=column)
    words = f"score of {plain(target, 30)}" if target else "score"
    figure.update_yaxes(title_text=quantity(words, unit), col=1)
    figure.update_layout(hovermode="closest", legend={"orientation": "h", "y": -0.28, "yanchor": "top"})
    figure.update_annotations(font_size=13)
    finish(figure, "Does the answer follow the map?", ["band: smooth random orders"], dark, HEIGHT)
    return figure.update_layout(margin_t=135, margin_b=110)


def _across(curve: Curve, name: str) -> np.ndarray:
    """How much is hidden, or on the right shown, in per cent."""
    hidden = 100 * np.asarray(curve["hidden"], np.float32)
    return hidden if name == "brightest_first" else 100 - hidden


def _band(figure: Any, orders: Sequence[Curve], name: str, column: int, dark: bool) -> None:
    values = np.array([order[name] for order in orders], np.float32)
    across = _across(orders[0], name)
    muted = theme.colours(dark)["muted"]
    red, green, blue = theme.rgb(muted)
    figure.add_scatter(
        x=np.concatenate([across, across[::-1]]), y=np.concatenate([values.min(0), values.max(0)[::-1]]),
        fill="toself", fillcolor=f"rgba({red},{green},{blue},0.25)", line={"width": 0}, hoverinfo="skip",
        name="random orders", legendgroup="random", showlegend=column == 1, mode="lines", row=1, col=column,
    )  # fmt: skip


def _line(figure: Any, i: int, title: str, curve: Curve, name: str, column: int, dark: bool, visible: bool) -> None:
    palette = theme.palette(dark)
    line = {
        "color": palette[i % len(palette)],
        "dash": theme.DASHES[(i // len(palette)) % len(theme.DASHES)],
        "width": 2,
    }
    symbol = theme.SYMBOLS[(i + i // len(palette)) % len(theme.SYMBOLS)]  # of one colour, not one symbol
    figure.add_scatter(
        x=_across(curve, name), y=np.asarray(curve[name], np.float32), name=plain(title, 30), mode="lines+markers",
        line=line, marker={"symbol": symbol, "size": 7}, legendgroup=title,
        showlegend=column == 1 and visible, visible=visible, meta={"chosen": visible}, row=1, col=column,
        hovertemplate="%{x:.0f} %: %{y:.3g}<extra>" + plain(title, 30) + "</extra>",
    )  # fmt: skip
