"""A circuit as a graph: heads from left to right by layer, and what each passes on to later ones and to the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from viz import theme
from viz.figures.scale import finish, heading
from viz.figures.words import names, plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

FIRST = False
ANSWER = "answer"


def accepts(result: Result) -> bool:
    """Whether the result has edges between a circuit's members."""
    return result.axes.get("edge") == ("member", "receiver")


def draw(result: Result, threshold: float = 0.05, dark: bool = False) -> Figure:
    """The members and every edge of at least `threshold`, wider the more it carries; dashed where it works against."""
    import plotly.graph_objects as go

    edge = np.asarray(result.arrays["edge"], np.float32)
    nodes = [*names(result, "member", len(edge)), ANSWER]
    spots = placed(nodes)
    colours = theme.palette(dark)
    figure, shown = go.Figure(), 0
    for a, b in np.argwhere(np.abs(edge) >= max(threshold, 1e-9)).tolist():
        (x0, y0), (x1, y1) = spots[a], spots[b]
        share = float(edge[a, b])
        shown += 1
        figure.add_scatter(
            x=[x0, (x0 + x1) / 2, x1],
            y=[y0, (y0 + y1) / 2, y1],
            mode="lines",
            line={"width": 1 + 5 * min(abs(share), 1), "dash": "solid" if share > 0 else "dash",
                  "color": colours[0 if share > 0 else 1]},
            hovertemplate=f"{plain(nodes[a])} → {plain(nodes[b])}: {share:.3f} restored<extra></extra>",
            showlegend=False,
        )  # fmt: skip
    figure.add_scatter(
        x=[x for x, _ in spots],
        y=[y for _, y in spots],
        mode="markers+text",
        text=[plain(name) for name in nodes],
        textposition="top center",
        textfont={"size": 14},
        marker={"size": 18, "color": colours[0], "symbol": ["circle"] * len(edge) + ["square"]},
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )
    across = sorted({x for x, _ in spots})
    figure.update_xaxes(
        title_text="layer (index)",
        showgrid=False,
        zeroline=False,
        tickvals=across,
        ticktext=[*(f"{x:g}" for x in across[:-1]), ANSWER],
        range=[across[0] - 0.35, across[-1] + 0.35],
    )
    rows = [y for _, y in spots]
    figure.update_yaxes(
        title_text="heads of a layer (no scale)",
        showticklabels=False,
        ticks="",
        showgrid=False,
        zeroline=False,
        range=[min(rows) - 0.6, max(rows) + 0.7],
    )
    edges = "1 edge that restores" if shown == 1 else f"{shown} edges that restore"
    note = f"{edges} at least {threshold:g} of the difference; dashed: against it, thicker: more"
    tall = 220 + 60 * len({y for _, y in spots})
    return finish(figure, heading(result, "graph"), [note], dark, min(tall, 700))


def placed(nodes: list[str]) -> list[tuple[float, float]]:
    """Each node's place: its layer across, the heads of one layer spread downwards, the answer behind the last."""
    layers = [int(name.partition(".")[0]) for name in nodes[:-1]]
    across = [*layers, max(layers, default=0) + 1]
    found = []
    for i, x in enumerate(across):
        alike = [j for j, other in enumerate(across) if other == x]
        found.append((float(x), (len(alike) - 1) / 2 - alike.index(i)))
    return found
