"""A text whose pieces are coloured by their values, with the value on hover and the truth underlined.

Colours stand on white in both themes: zero is white on a signed map, and a value has one colour whoever looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import html

from backends.results import Result
from viz import theme
from viz.components.attribution_summary import number
from viz.figures.scale import Scale, limits
from viz.figures.token_strip import token_colours

Span = tuple[int, int, str]
"""Where something true is in the text, from and to, and what it is called."""


def coloured_text(result: Result, id: str, scale: Scale | None = None, truth: Sequence[Span] = ()) -> html.Div:
    """The input's text with every token coloured; `truth` is underlined. `id` is what a picture is saved from."""
    pieces, at = [], 0
    spans = iter(result.arrays["span"].tolist() if "span" in result.arrays else [])
    text = result.facts.get("text") or ""
    for piece in token_colours(result, scale):
        covers = piece.text if text.startswith(piece.text, at) else ""
        name = next((n for a, b, n in truth if covers and a < at + len(covers) and at < b), "")
        span = next(spans, None) if piece.value is not None else None
        pieces.append(_piece(piece, name, piece.value is not None and not covers, span))
        at += len(covers)
    named = {"aria-label": _told(result), "data-title": _title(result)}
    return html.Div(pieces, id=id, className="coloured-text", tabIndex=0, role="group", **named)


def _piece(piece: Any, truth: str, special: bool, span: Sequence[int] | None) -> Any:
    if piece.value is None:
        return html.Span(piece.text, className="gap truth" if truth else "gap")
    name = " ".join(["tok", *(["truth"] if truth else []), *(["special"] if special else [])])
    tip = number(piece.value, True) + (f" · {truth}" if truth else "")
    style = {"backgroundColor": piece.colour, "color": theme.ink(piece.colour)}
    there = {"data-span": f"{span[0]},{span[1]}"} if span and span[1] > span[0] else {}
    return html.Span(piece.text, className=name, style=style, **{"data-tip": tip}, **there)


def _told(result: Result) -> str:
    return f"The text, coloured by {result.method.replace('_', ' ')}; the values are in the table below"


def _title(result: Result) -> str:
    """What a saved picture is called."""
    method = result.method.replace("_", " ").capitalize()
    parts = [f"{method} for {result.target}" if result.target else method, str(result.request.get("model", ""))]
    return " · ".join(p for p in parts if p)


def legend(result: Result, scale: Scale | None = None) -> html.Div:
    """The colours' ends in numbers, their unit, and what the two sides mean."""
    low, high = scale or limits(result.arrays["attribution"], result.signed)
    colours = theme.table(theme.colour_map(result.signed))
    stops = ", ".join(theme.css(colours[i]) for i in range(0, 256, 15))
    words = sides(result)
    return html.Div(
        [
            html.Span(number(low, result.signed), className="legend-end"),
            html.Span(className="legend-bar", style={"background": f"linear-gradient(90deg, {stops})"}),
            html.Span(number(high, result.signed), className="legend-end"),
            html.Span(result.unit or "no unit", className="legend-unit"),
            html.Span(words, className="legend-words"),
        ],
        className="legend",
    )


def sides(result: Result) -> str:
    """What the colours say about the target."""
    if result.signed:
        return f"blue speaks against “{result.target}”, white says nothing, red speaks for it"
    return "the brighter, the more it matters; for or against is not said"
