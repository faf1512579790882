"""What hiding each word or square costs the answer, with its interval; those that matter at all stand out."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from viz import theme
from viz.figures.scale import finish, heading, quantity
from viz.figures.words import names, plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

FIRST = True
MOST = 20
"""Parts that one picture shows."""


def accepts(result: Result) -> bool:
    """Whether the result holds an effect a part, with its interval."""
    return result.axes.get("effect") == ("part",) and {"low", "high", "found"} <= set(result.arrays)


def largest(result: Result, most: int = MOST) -> list[int]:
    """The places of the parts that are shown: those found, then the largest effects; words stay in their order."""
    found, effect = np.asarray(result.arrays["found"], bool), np.asarray(result.arrays["effect"], np.float32)
    order = np.lexsort((-np.abs(effect), ~found))[:most].tolist()
    return sorted(order) if "span" in result.arrays else sorted(order, key=lambda i: -float(effect[i]))


def draw(result: Result, most: int = MOST, dark: bool = False) -> Figure:
    """A dot a part with its 95 % interval; filled where it was found to matter, and the least effect as lines."""
    from plotly.graph_objects import Figure

    shown = largest(result, most)
    parts = names(result, "part", len(result.arrays["effect"]))
    places, colours = list(range(len(shown))), theme.colours(dark)
    figure = Figure()
    for found, name in ((True, "matters"), (False, "not found to matter")):
        at = [k for k, i in enumerate(shown) if bool(result.arrays["found"][i]) == found]
        _dots(figure, result, [shown[k] for k in at], at, name, colours["accent" if found else "muted"], found)
    least = float(result.facts.get("least", 0.0))
    title = heading(dataclasses.replace(result, method="what hiding each costs"))
    noun = "word (in their order)" if "span" in result.arrays else "square (row, column)"
    for edge in (-least, least) if least else ():
        figure.add_vline(x=edge, line={"color": colours["edge"], "dash": "dot", "width": 1})
    ticks: dict[str, Any] = {
        "tickmode": "array",
        "tickvals": places,
        "ticktext": [plain(parts[i], 26) + " " for i in shown],
    }
    ticks |= {"showgrid": False, "zeroline": False}
    figure.update_layout(
        yaxis={**ticks, "title": {"text": noun}, "range": [len(shown) - 0.4, -0.6]},
        xaxis={"title": {"text": quantity("the score falls by", result.unit)}, "zeroline": True},
        legend={"orientation": "h", "yref": "container", "y": 0.01, "yanchor": "bottom", "x": 0},
        margin_b=96,
    )  # fmt: skip
    left = len(parts) - len(shown)
    notes = [
        f"95 % intervals; dotted: the least effect that counts ({least:.2g})",
        f"{left} smaller left out" * (left > 0),
    ]
    return finish(figure, title, notes, dark, 230 + 22 * len(shown))


def _dots(
    figure: Figure, result: Result, shown: list[int], places: list[int], name: str, colour: str, filled: bool
) -> None:
    effect, low, high = (np.asarray(result.arrays[n], np.float32)[shown] for n in ("effect", "low", "high"))
    figure.add_scatter(
        x=effect, y=places, mode="markers", name=name,
        error_x={"type": "data", "array": high - effect, "arrayminus": effect - low, "color": colour, "thickness": 1.5},
        marker={"symbol": "circle" if filled else "circle-open", "size": 9, "color": colour},
        hovertemplate="%{x:.3g} (%{customdata[0]:.3g} to %{customdata[1]:.3g})<extra></extra>",
        customdata=np.stack([low, high], 1),
    )  # fmt: skip
