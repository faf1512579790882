"""The logit lens as a table: what each layer would answer at each position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import Refused
from viz import theme
from viz.figures.scale import Scale, beyond, coloraxis, finish, heading, limits, quantity
from viz.figures.words import names, places, plain, token_names

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

FIRST = True
MEASURES = {
    "probability": ("top token's probability", "0 to 1"),
    "entropy": ("entropy", "nat"),
    "kl": ("KL to the last layer", "nat"),
    "target_probability": ("target's probability", "0 to 1"),
}
"""What may colour the table: its words and its unit."""
LONGEST = 24
"""At most this many positions are shown unless more are asked for: the last ones."""


def accepts(result: Result) -> bool:
    """Whether the result holds the k best tokens of each (layer, position)."""
    return result.axes.get("probability") == ("layer", "position", "k") == result.axes.get("token")


def measures(result: Result) -> list[str]:
    """What this result can be coloured by."""
    return [name for name in MEASURES if name in result.arrays]


def token_text(result: Result, token: int) -> str:
    """The string of a vocabulary id, from `facts["strings"]`."""
    return str(result.facts.get("strings", {}).get(str(token), f"#{token}"))


def draw(
    result: Result,
    colour: str = "probability",
    start: int | None = None,
    most: int = LONGEST,
    scale: Scale | None = None,
    colours: str | None = None,
    dark: bool = False,
) -> Figure:
    """The top token of each layer (the last on top) and position, coloured by one of `MEASURES`.

    Positions from `start`, `most` of them; without `start`, the last ones. Hovering lists the k best.
    """
    import plotly.graph_objects as go

    if colour not in measures(result):
        raise Refused(f"no measure {str(colour)[:40]!r} of the lens; there are: {', '.join(measures(result))}")
    probability, token = result.arrays["probability"], result.arrays["token"]
    layers, positions, _ = probability.shape
    first = max(positions - most, 0) if start is None else min(max(int(start), 0), positions - 1)
    window = slice(first, min(first + max(most, 1), positions))
    whole = probability[..., 0] if colour == "probability" else result.arrays[colour]
    values = np.asarray(whole[:, window], np.float32)
    noun, unit = MEASURES[colour]
    ends = scale or ((0.0, 1.0) if "probability" in colour else limits(np.asarray(whole), signed=False))
    notes = [beyond(values, ends)]
    if window.stop - first < positions:
        notes.append(f"positions {first} to {window.stop - 1} of {positions}")
    tokens = token_names(result, positions)
    layer_names = names(result, "layer", layers)
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=places(tokens)[window],
            y=[plain(n) for n in layer_names],
            customdata=_lists(probability[:, window], token[:, window], result),
            coloraxis="coloraxis",
            hovertemplate="layer %{y}, after %{x}<br>" + f"{noun} %{{z:.4f}}<br>%{{customdata}}<extra></extra>",
        )
    )
    figure.add_trace(_words(values, token[:, window, 0], result, figure.data[0], ends, colours))
    figure.update_layout(coloraxis=coloraxis(False, ends, quantity(noun, unit), colours))
    figure.update_xaxes(title_text="input token (position)", side="bottom", tickangle=-45, showgrid=False)
    figure.update_yaxes(title_text="layer (0 = embedding)", type="category", showgrid=False)
    height = int(np.clip(34 * layers + 200, 420, 1400))
    return finish(figure, heading(result), notes, dark, height)


def _words(values: np.ndarray, best: np.ndarray, result: Result, table: Any, ends: Scale, colours: str | None) -> Any:
    """The top tokens, each in black or white, whichever reads better on its cell."""
    import plotly.graph_objects as go

    behind = theme.value_colours(values.ravel(), *ends, theme.colour_map(False, colours))
    return go.Scatter(
        x=[x for _ in table.y for x in table.x],
        y=[y for y in table.y for _ in table.x],
        text=[plain(token_text(result, int(i)), 12) for i in best.ravel()],
        textfont={"color": [theme.ink(colour) for colour in behind], "size": 12},
        mode="text",
        hoverinfo="skip",
        showlegend=False,
    )


def _lists(probability: np.ndarray, token: np.ndarray, result: Result) -> list[list[Any]]:
    """For each cell its k best tokens with their probabilities, as lines of hover text."""
    shown = {int(i): plain(token_text(result, int(i))) for i in np.unique(token)}
    return [
        [
            "<br>".join(f"{p:.3f}  {shown[int(i)]}" for p, i in zip(ps, ids, strict=True))
            for ps, ids in zip(p_row, t_row, strict=True)
        ]
        for p_row, t_row in zip(probability, token, strict=True)
    ]
