"""Two answers' logits through depth, with the places where the lead changes."""

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


def accepts(result: Result) -> bool:
    """Whether the result follows answers through depth."""
    return result.axes.get("logit") == ("answer", "depth")


def draw(result: Result, dark: bool = False) -> Figure:
    """One line an answer; a dotted line marks each crossing."""
    import plotly.graph_objects as go

    values = np.asarray(result.arrays["logit"], np.float32)
    depths = [plain(n) for n in names(result, "depth", values.shape[1])]
    colours = theme.palette(dark)
    figure = go.Figure()
    for number, (name, row) in enumerate(zip(names(result, "answer", len(values)), values, strict=True)):
        figure.add_scatter(
            x=depths,
            y=row,
            name=plain(name),
            mode="lines+markers",
            line={"color": colours[number], "dash": ("solid", "dash")[number % 2]},
            marker={"symbol": ("circle", "square")[number % 2]},
            hovertemplate=f"{plain(name)} after %{{x}}: %{{y:.3f}} logit<extra></extra>",
        )
    ink = (theme.DARK if dark else theme.LIGHT)["ink"]
    crossing = [plain(name) for name in result.facts.get("crossing", ())]
    for name in crossing:
        if name in depths:
            figure.add_vline(
                x=depths.index(name),
                line={"dash": "dot", "width": 2, "color": ink},
                annotation={"text": "lead changes", "font": {"color": ink}, "textangle": -90, "xanchor": "right"},
            )
    figure.update_xaxes(title_text="after (layer and part)", type="category", tickangle=-60)
    figure.update_yaxes(title_text=quantity("logit, read by the final norm", result.unit))
    note = f"the lead changes at {', '.join(crossing)}" if crossing else "the lead never changes"
    return finish(figure, heading(result), [note], dark, 400)
