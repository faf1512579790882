"""A plotly figure on a page: named for screen readers, with its numbers as a table beneath, and sent nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from dash import dcc, html

from viz import theme

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST_CELLS = 700
"""Cells of the table beneath a figure; a larger one is left to the download."""


def picture(id: str, figure: Figure, words: str, name: str = "vitrine", key: str = "") -> html.Figure:
    """`figure` as a graph called `words`, to be saved as `name`; buttons and table stand beneath it.

    What is saved is the page of the result of `key` (viz/report) around the graph; without a key the graph alone.
    """
    rows = table(figure)
    of = {"data-key": key} if key else {}
    saved = [
        html.Button(
            kind.upper(),
            type="button",
            className="export",
            **{"data-save": kind, "data-picture": id, "aria-label": f"Save {words} as {kind.upper()}", **of},
        )
        for kind in ("png", "svg")
    ]
    told = {"tabIndex": 0, "role": "region", "aria-label": f"{words}, as a table"}
    same = [html.Details([html.Summary("The same as a table"), html.Div(rows, className="figure-table", **told)])]
    height = f"{figure.layout.height or 450}px"
    graph = dcc.Graph(
        id=id, figure=figure, config=theme.config(name), className="figure-graph", style={"height": height}
    )
    below = html.Figcaption([html.Span(saved, className="figure-saves"), *(same if rows else [])])
    return html.Figure([graph, below], className="figure-box", **{"aria-label": words})


def table(figure: Figure) -> html.Table | None:
    """The numbers of a heat map, or of lines over the same places, as an HTML table; None where it would be long."""
    if any(trace.type == "heatmap" for trace in figure.data):
        trace = next(t for t in figure.data if t.type == "heatmap")
        z = np.asarray(trace.z, np.float32)
        across = trace.x if trace.x is not None else range(z.shape[1])
        down = trace.y if trace.y is not None else range(z.shape[0])
        return _table("", across, down, z) if z.size <= MOST_CELLS else None
    lines = [t for t in figure.data if t.type == "scatter" and t.y is not None]
    if not lines or any(not np.array_equal(t.x, lines[0].x) for t in lines):
        return None
    values = np.stack([np.asarray(t.y, np.float32) for t in lines], axis=1)
    first = [f"{v:g}" if isinstance(v, (float, np.floating)) else str(v) for v in lines[0].x]
    return _table("layer", [t.name or "" for t in lines], first, values) if values.size <= MOST_CELLS else None


def _table(corner: str, across: Any, down: Any, values: np.ndarray) -> html.Table:
    head = html.Thead(html.Tr([html.Td(corner), *[html.Th(_text(x), scope="col") for x in across]]))
    body = [
        html.Tr([html.Th(_text(y), scope="row"), *[html.Td("" if np.isnan(v) else f"{v:.4g}") for v in row]])
        for y, row in zip(down, values, strict=True)
    ]
    return html.Table([head, html.Tbody(body)], className="table table-sm")


def _text(label: Any) -> str:
    """A label of a figure, which is written for plotly's markup, as plain text."""
    import html as markup

    return markup.unescape(str(label)).replace("\u200b", "")
