"""Two columns of tokens joined by lines: one head's attention, each line as opaque as its weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from viz import theme
from viz.figures import token_heat
from viz.figures.scale import Scale, finish, heading
from viz.figures.words import index, plain, token_names

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

FIRST = False
MOST_LINES = 2000
SHADES = 12
"""Lines are drawn in this many steps of opacity, one trace each."""

accepts = token_heat.accepts


def draw(
    result: Result,
    layer: int | str = 0,
    head: int | str = 0,
    query: int | str | None = None,
    threshold: float = 0.05,
    hide_sink: bool = True,
    scale: Scale | None = None,
    dark: bool = False,
) -> Figure:
    """Query tokens left, key tokens right, a line for each weight of at least `threshold`.

    `query` draws one query's lines only; opacity runs from 0 to the largest weight shown, or to `scale`'s end.
    """
    import plotly.graph_objects as go

    pattern, layer_name, head_name = token_heat.head_pattern(result, layer, head)
    queries = token_names(result, pattern.shape[0], ("query", "token"))
    keys = token_names(result, pattern.shape[1], ("key", "token"))
    notes = []
    weights = pattern.copy()
    if hide_sink and len(keys) > 1:
        weights[:, 0] = 0
        notes.append("first token hidden, the rest not renormalised")
    if query is not None:
        only = index(result, "query", len(queries), query)
        weights[np.arange(len(queries)) != only] = 0
    rows, columns = _edges(weights, threshold)
    drawn = weights[rows, columns]
    top = scale[1] if scale else float(drawn.max(initial=0.0)) or 1.0
    fitting = int((weights >= max(threshold, 1e-9)).sum())
    notes.append(f"{len(drawn)} of {fitting} lines ≥ {threshold:g}, full colour {top:.2g}")
    offset = _aligned(queries, keys)
    figure = go.Figure(_lines(drawn / top, rows + offset, columns, theme.colours(dark)["accent"]))
    figure.add_trace(_tokens(queries, offset, 0.0, pattern, keys, dark, "attends to"))
    figure.add_trace(_tokens(keys, 0, 1.0, pattern.T, queries, dark, "is attended to by"))
    blank = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": ""}
    titles = {"tickvals": [0, 1], "ticktext": ["query token", "key token"], "showticklabels": True}
    figure.update_xaxes(title_text="attention weight (probability), from query to key", range=[-0.45, 1.45])
    figure.update_xaxes(**(blank | titles))
    figure.update_yaxes(title_text="token (position)", autorange="reversed", **blank)
    figure.update_layout(showlegend=False)
    height = int(np.clip(22 * max(len(keys), len(queries)) + 140, 320, 2400))
    return finish(figure, heading(result, f"layer {layer_name}, head {head_name}"), notes, dark, height)


def _edges(weights: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Where the weights of at least `threshold` are, the strongest `MOST_LINES` of them."""
    flat = weights.ravel()
    where = np.flatnonzero(flat >= max(threshold, 1e-9))
    if len(where) > MOST_LINES:
        where = where[np.argpartition(flat[where], -MOST_LINES)[-MOST_LINES:]]
    rows, columns = np.divmod(where, weights.shape[1])
    return rows, columns


def _aligned(queries: tuple[str, ...], keys: tuple[str, ...]) -> int:
    """How many rows lower the queries start, so that the same token stands at the same height."""
    return max(len(keys) - len(queries), 0)


def _lines(shares: np.ndarray, rows: np.ndarray, columns: np.ndarray, colour: str) -> list[Any]:
    import plotly.graph_objects as go

    red, green, blue = theme.rgb(colour)
    step = np.clip(np.ceil(shares * SHADES).astype(int), 1, SHADES)
    traces = []
    for shade in np.unique(step):
        here = step == shade
        gap = np.full(int(here.sum()), np.nan, np.float32)
        x = np.stack([np.zeros_like(gap), np.ones_like(gap), gap], axis=1).ravel()
        y = np.stack([rows[here], columns[here], gap], axis=1).astype(np.float32).ravel()
        alpha = shade / SHADES
        line = {"color": f"rgba({red},{green},{blue},{alpha:.3f})", "width": 0.8 + 2.2 * alpha}
        traces.append(go.Scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", connectgaps=False))
    return traces


def _tokens(
    tokens: tuple[str, ...],
    offset: int,
    x: float,
    weights: np.ndarray,
    others: tuple[str, ...],
    dark: bool,
    verb: str,
) -> Any:
    """One column of tokens; hovering one lists the five that it has most to do with."""
    import plotly.graph_objects as go

    hover = []
    for i, token in enumerate(tokens):
        best = np.argsort(weights[i])[::-1][:5]
        each = "<br>".join(f"{weights[i, j]:.3f}  {plain(others[j])} ({j})" for j in best)
        hover.append(f"{plain(token)} ({i}) {verb}<br>{each}")
    return go.Scatter(
        x=np.full(len(tokens), x, np.float32),
        y=np.arange(offset, offset + len(tokens), dtype=np.float32),
        mode="text+markers",
        marker={"size": 5, "color": theme.colours(dark)["edge"]},
        text=[f"{plain(t, 20)}&nbsp;&nbsp;" if x == 0 else f"&nbsp;&nbsp;{plain(t, 20)}" for t in tokens],
        textposition="middle left" if x == 0 else "middle right",
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
        cliponaxis=False,
    )
