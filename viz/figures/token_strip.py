"""Token attribution: a bar for each token, and the same values as colours behind the text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from viz import theme
from viz.figures.scale import Scale, beyond, coloraxis, finish, heading, limits, quantity
from viz.figures.words import places, plain, token_names, visible

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

FIRST = True


class TokenColour(NamedTuple):
    """A piece of text, its value (None between tokens) and the colour behind it ("" between tokens)."""

    text: str
    value: float | None
    colour: str


def accepts(result: Result) -> bool:
    """Whether the result is one number a token."""
    return result.axes.get("attribution") == ("token",)


def token_colours(result: Result, scale: Scale | None = None, colours: str | None = None) -> list[TokenColour]:
    """The input's text in pieces, in order: tokens with value and colour, and the text between them without.

    Special tokens, which cover no text, are given by name. `theme.ink(colour)` is the colour to write in.
    """
    values = np.asarray(result.arrays["attribution"], np.float32)
    low, high = scale or limits(values, result.signed)
    css = theme.value_colours(values, low, high, theme.colour_map(result.signed, colours))
    tokens = token_names(result, len(values), ("token",))
    text = result.facts.get("text")
    spans = result.arrays.get("span")
    if text is None or spans is None:
        return [TokenColour(visible(t), float(v), c) for t, v, c in zip(tokens, values, css, strict=True)]
    pieces: list[TokenColour] = []
    at = 0
    for token, value, colour, (start, end) in zip(tokens, values, css, spans.tolist(), strict=True):
        if end > start and start > at:
            pieces.append(TokenColour(text[at:start], None, ""))
        piece = text[max(start, at) : end] if end > start else ""
        pieces.append(TokenColour(piece or visible(token), float(value), colour))
        at = max(at, end)
    if at < len(text):
        pieces.append(TokenColour(text[at:], None, ""))
    return pieces


def draw(
    result: Result,
    scale: Scale | None = None,
    colours: str | None = None,
    dark: bool = False,
) -> Figure:
    """A bar for each token: its height and its colour are the attribution."""
    import plotly.graph_objects as go

    values = np.asarray(result.arrays["attribution"], np.float32)
    ends = scale or limits(values, result.signed)
    tokens = token_names(result, len(values), ("token",))
    bar = quantity("attribution", result.unit)
    edge = theme.colours(dark)["edge"]
    figure = go.Figure(
        go.Bar(
            x=places(tokens),
            y=values,
            marker={"color": values, "coloraxis": "coloraxis", "line": {"color": edge, "width": 0.7}},
            hovertemplate="%{x}<br>%{y:.4f} " + plain(result.unit or "no unit", 40) + "<extra></extra>",
        )
    )
    figure.update_layout(coloraxis=coloraxis(result.signed, ends, bar, colours), bargap=0.15)
    margin = 0.04 * (ends[1] - ends[0])
    grouped = result.facts.get("grouped_by", "token")
    figure.update_xaxes(title_text=f"{plain(grouped)} (position)", tickangle=-60, showgrid=False)
    figure.update_yaxes(title_text=bar, range=[ends[0] - margin * result.signed, ends[1] + margin])
    return finish(figure, heading(result), [beyond(values, ends)], dark)
