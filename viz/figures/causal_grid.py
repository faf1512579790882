"""Layer by place: what changing each place does, also while the grid still fills."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from viz.figures.scale import Scale, beyond, coloraxis, finish, heading, limits, quantity
from viz.figures.words import names, places, plain, token_names

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

FIRST = True
ACROSS = {
    "position": "input token (position)", "head": "head (index)", "strength": "strength (times the difference)"
}  # fmt: skip
"""What the axis beside the layers is called."""


def accepts(result: Result) -> bool:
    """Whether the result has an effect for each layer and position, head or strength."""
    axes = result.axes.get("effect", ())
    return len(axes) == 2 and axes[0] == "layer" and axes[1] in ACROSS and result.main == "effect"


def draw(result: Result, scale: Scale | None = None, colours: str | None = None, dark: bool = False) -> Figure:
    """The effect of every place, layers down (the first on top); cells not yet computed stay empty."""
    import plotly.graph_objects as go

    values = np.asarray(result.arrays["effect"], np.float32)
    across = result.axes["effect"][1]
    layers = [plain(n) for n in names(result, "layer", len(values))]
    if across == "position":
        columns = places(token_names(result, values.shape[1]))
    else:
        columns = [plain(n) for n in names(result, across, values.shape[1])]
    ends = scale or limits(values, result.signed)
    unit = plain(result.unit, 60)
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=columns,
            y=layers,
            coloraxis="coloraxis",
            hovertemplate=f"layer %{{y}}, {across} %{{x}}<br>%{{z:.4f}} {unit}<extra></extra>",
            hoverongaps=False,
        )
    )
    noun = "restored" if "share" in result.unit else "change"
    figure.update_layout(coloraxis=coloraxis(result.signed, ends, quantity(noun, result.unit), colours))
    figure.update_xaxes(title_text=ACROSS[across], type="category", tickangle=-60, showgrid=False)
    figure.update_yaxes(title_text="layer (index)", type="category", autorange="reversed", showgrid=False)
    return finish(
        figure, heading(result, str(result.facts.get("site", ""))), [said(result), beyond(values, ends)], dark
    )


def said(result: Result) -> str:
    """The two numbers that shares are between, or the one that changes are from."""
    facts, unit = result.facts, plain(str(result.facts.get("metric_unit", result.facts.get("unit", ""))), 40)
    notes = [f"{side} {facts[side]:.3g} {unit}" for side in ("clean", "corrupted") if side in facts]
    if facts.get("approximate"):
        notes.append("approximate: from one gradient")
    if facts.get("correlation") is not None:
        notes.append(f"correlation with the exact grid {facts['correlation']:.2f}")
    return " · ".join(notes)
