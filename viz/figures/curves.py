"""Layer by layer at one position: probability and rank of the target and of chosen tokens, entropy, KL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from backends.errors import Refused
from viz import theme
from viz.figures.logit_lens import token_text
from viz.figures.scale import Scale, finish, heading, quantity
from viz.figures.words import index, names, plain, token_names, visible

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

FIRST = False
MEASURES = {
    "probability": ("probability", "0 to 1"),
    "rank": ("rank among the vocabulary", "1 = best"),
    "entropy": ("entropy of the prediction", "nat"),
    "kl": ("KL divergence to the last layer", "nat"),
}
_SOURCE = {"probability": "target_probability", "rank": "target_rank", "entropy": "entropy", "kl": "kl"}


def accepts(result: Result) -> bool:
    """Whether the result follows something through (layer, position)."""
    return bool(measures(result))


def measures(result: Result) -> list[str]:
    """The curves that this result has."""
    has_list = result.axes.get("token") == ("layer", "position", "k")
    found = [m for m, a in _SOURCE.items() if result.axes.get(a) == ("layer", "position")]
    return [m for m in MEASURES if m in found or (has_list and m in ("probability", "rank"))]


def draw(
    result: Result,
    measure: str | None = None,
    position: int | str = -1,
    tokens: Sequence[int] = (),
    scale: Scale | None = None,
    dark: bool = False,
) -> Figure:
    """One measure against depth, at one position.

    `tokens` are vocabulary ids followed besides the target; where one is not among the layer's k best its
    curve has a gap. Without a target or tokens, the last layer's three best are followed.
    """
    import plotly.graph_objects as go

    there = measures(result)
    if measure is not None and measure not in there:
        raise Refused(f"no curve {str(measure)[:40]!r} in this result; there are: {', '.join(there)}")
    measure = measure or there[0]
    main = result.arrays[_SOURCE[measure] if _SOURCE[measure] in result.arrays else "token"]
    layers, positions = main.shape[:2]
    at = index(result, "position", positions, position)
    depth = np.arange(layers, dtype=np.float32)
    curves: list[tuple[str, np.ndarray]] = []
    if _SOURCE[measure] in result.arrays:
        name = f"target: {result.target}" if measure in ("probability", "rank") else MEASURES[measure][0]
        values = np.asarray(main[:, at], np.float32)
        curves.append((name, values + _first(result) if measure == "rank" else values))
    notes = []
    if measure in ("probability", "rank") and "token" in result.arrays:
        chosen = list(tokens) or ([] if curves else [int(i) for i in result.arrays["token"][-1, at, :3]])
        followed = [(token_text(result, i), _followed(result, measure, at, i)) for i in chosen]
        curves += followed
        if any(np.isnan(values).any() for _, values in followed):
            notes.append(f"gaps: not among the {result.arrays['token'].shape[-1]} best there")
    noun, unit = MEASURES[measure]
    figure = go.Figure()
    for i, (name, values) in enumerate(curves):
        line = {"color": theme.palette(dark)[i % 6], "dash": theme.DASHES[i % 6], "width": 2}
        figure.add_scatter(
            x=depth,
            y=values,
            name=plain(name, 40),
            mode="lines+markers",
            line=line,
            marker={"symbol": theme.SYMBOLS[i % 6], "size": 8},
            hovertemplate="layer %{x}: %{y:.4g}<extra>" + plain(name, 40) + "</extra>",
        )
    figure.update_xaxes(title_text="layer (0 = embedding)", tickvals=depth, ticktext=names(result, "layer", layers))
    figure.update_yaxes(title_text=quantity(noun, unit))
    if measure == "rank":
        figure.update_yaxes(type="log", autorange="reversed", dtick=1)
    elif scale or measure == "probability":
        low, high = scale or (0.0, 1.0)
        figure.update_yaxes(range=[low - 0.03 * (high - low), high + 0.03 * (high - low)])
    else:
        figure.update_yaxes(rangemode="tozero")
    figure.update_layout(showlegend=True, hovermode="x unified", legend={"orientation": "h", "y": -0.22})
    word = token_names(result, positions)[at]
    return finish(figure, heading(result, f"{noun} after {visible(word)} (position {at})"), notes, dark, 420)


def _first(result: Result) -> int:
    """What turns the result's ranks into ranks from 1."""
    ranks = result.arrays.get("rank")
    return int(ranks is not None and ranks.size > 0 and int(ranks.min()) == 0)


def _followed(result: Result, measure: str, at: int, token: int) -> np.ndarray:
    """The measure of one vocabulary id through the layers, NaN where it is not among the k best."""
    here = result.arrays["token"][:, at] == token  # (layer, k)
    values = result.arrays["probability"][:, at]
    if measure == "rank":
        values = np.broadcast_to(np.arange(1, here.shape[1] + 1, dtype=np.float32), here.shape)
    return np.where(here.any(1), np.where(here, values, 0).sum(1), np.nan).astype(np.float32)
