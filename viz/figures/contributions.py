"""What each part writes towards an answer, as bars, with the residue beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from viz import theme
from viz.figures.scale import finish, heading, quantity
from viz.figures.words import index, names, plain, token_names

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

FIRST = True
MOST = 40
"""Bars that one picture shows; the rest is one bar."""


def accepts(result: Result) -> bool:
    """Whether the result shares a logit out among parts, by position."""
    return result.axes.get("contribution") == ("component", "position")


def draw(result: Result, position: int | None = None, most: int = MOST, dark: bool = False) -> Figure:
    """The largest contributions at one position, in the network's order; `position` is the answer's unless given."""
    values = np.asarray(result.arrays["contribution"], np.float32)
    asked = result.facts.get("position", values.shape[1] - 1) if position is None else position
    at = index(result, "position", values.shape[1], asked)
    notes = [
        f"at {plain(token_names(result, values.shape[1])[at])}, token {at}",
        f"their sum misses the logit by at most {result.facts['sum_gap']:.1e} of it",
    ]
    return bars(result, {"contribution": values[:, at]}, notes, most, dark, float(result.arrays["residue"][at]))


def bars(
    result: Result,
    rows: Mapping[str, np.ndarray],
    notes: list[str],
    most: int,
    dark: bool,
    residue: float | None = None,
) -> Figure:
    """One group of bars a part: the `most` parts that are largest in any row, the others as one, and the residue."""
    import plotly.graph_objects as go

    parts = names(result, "component", len(next(iter(rows.values()))))
    kept = sorted(np.argsort(-np.max([np.abs(row) for row in rows.values()], 0), kind="stable")[:most].tolist())
    left = sorted(set(range(len(parts))) - set(kept))
    across = [plain(parts[i]) for i in kept] + ([f"{len(left)} others"] if left else [])
    across += ["residue"] if residue is not None else []
    figure = go.Figure()
    for number, (name, row) in enumerate(rows.items()):
        heights = [*row[kept], *([row[left].sum()] if left else []), *([residue] if residue is not None else [])]
        figure.add_bar(
            x=across,
            y=np.array(heights, np.float32),
            name=plain(name),
            marker_color=theme.palette(dark)[number],
            hovertemplate="%{x}: %{y:.4f} logit<extra></extra>",
        )
    figure.update_xaxes(title_text="part (head layer.head, MLP by layer)", tickangle=-60, type="category")
    figure.update_yaxes(title_text=quantity("adds to the logit", result.unit))
    return finish(figure, heading(result), notes, dark, 420)
