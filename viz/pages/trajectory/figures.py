"""The figures of the trajectory page: curves of several tokens on one scale, and views of the layers' states."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from backends.errors import Refused
from backends.results import Result
from viz import figures, theme
from viz.figures import curves as curve_figure
from viz.figures.words import plain, token_names
from viz.pages.trajectory.summary import followed, positions

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST = 5
"""Words that are followed besides the target: each has a colour, a dash and a mark of its own."""


def tokens(result: Result) -> tuple[str, ...]:
    """The tokens along the positions of a result."""
    return token_names(result, positions(result))


def with_token(before: Sequence[int | str], new: int | str) -> list[int | str]:
    """The followed tokens and one more. Raises `Refused` when there are too many, or it is empty."""
    if new == "":
        raise Refused("type a word of the vocabulary, or click a cell of the table")
    if new in before:
        return list(before)
    if len(before) >= MOST:
        raise Refused(f"at most {MOST} words are followed besides the answer; remove one first")
    return [*before, new]


def lens(result: Result, colour: str, first: int, dark: bool = False) -> Figure:
    """The table of words as a figure, positions from `first`."""
    return figures.draw(result, "logit_lens", colour=colour, start=first, dark=dark)


def measures(result: Result) -> list[str]:
    """The curves that this result has."""
    return curve_figure.measures(result)


def curves(result: Result, others: Sequence[Result], measure: str, at: int, dark: bool = False) -> Figure:
    """One measure against depth at one position; probability and rank of the targets of `others` too."""
    place = at - positions(result)  # from the end: a token may look like a number
    figure = curve_figure.draw(result, measure=measure, position=place, dark=dark)
    noun = curve_figure.MEASURES[measure][0]
    word = plain(tokens(result)[at], 24)
    figure.update_layout(
        title_text=f"{noun[:1].upper()}{noun[1:]}", title_subtitle_text=f"after “{word}” (position {at})"
    )
    if measure in ("probability", "rank") and "target_rank" in result.arrays:
        figure.data[0].update(name=plain(followed(result, "target"), 40))
        _add_others(figure, result, others, measure, place, dark)
    figure.update_layout(showlegend=len(figure.data) > 1)
    return figure


def _add_others(figure: Figure, result: Result, others: Sequence[Result], measure: str, place: int, dark: bool) -> None:
    seen = {followed(result, "target")}
    for other in others:
        word = followed(other, "target")
        if word in seen:
            continue
        seen.add(word)
        figure.add_trace(curve_figure.draw(other, measure=measure, position=place, dark=dark).data[0])
        i = len(figure.data) - 1
        figure.data[i].update(
            name=plain(word, 40),
            hovertemplate="layer %{x}: %{y:.4g}<extra>" + plain(word, 40) + "</extra>",
            line={"color": theme.palette(dark)[i % 6], "dash": theme.DASHES[i % 6]},
            marker={"symbol": theme.SYMBOLS[i % 6]},
        )


def states(result: Result, tab: str, at: int, kind: str, alone: bool, causal: bool, dark: bool = False) -> Figure | str:
    """The view `tab` of the layers' states; a sentence where this input does not allow it.

    `alone` draws the path of position `at` only; `causal` hides the first token, on which language models rest.
    """
    if tab == "path":
        chosen = [at - positions(result)] if alone else []
        figure = figures.draw(result, "trajectory", positions=chosen, hide_sink=causal, dark=dark)
        whole = max((len(result.arrays["path"]) - 1) // 8, 1)  # layers are counted in whole numbers
        figure.data[0].marker.colorbar.update(dtick=whole, title_font_size=13)
        return figure
    if tab == "similarity":
        return figures.draw(as_similarity(result, kind), "similarity", dark=dark)
    if tab == "norms":
        return figures.draw(result, "norms", hide_sink=causal, dark=dark)
    if "dimension" not in result.arrays:
        return f"The dimension is not estimated: {result.facts.get('dimension_omitted', 'there are too few tokens')}."
    return figures.draw(result, "dimension", dark=dark)


def as_similarity(result: Result, kind: str) -> Result:
    """The result with the similarity asked for, `cka` or `cosine`, as its `similarity`."""
    if kind != "cosine" or "cosine" not in result.arrays:
        return dataclasses.replace(result, facts={**result.facts, "similarity": "linear CKA"})
    arrays = {**result.arrays, "similarity": result.arrays["cosine"]}
    return dataclasses.replace(result, arrays=arrays, facts={**result.facts, "similarity": "cosine"})
