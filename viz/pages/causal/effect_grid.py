"""A grid of effects as the browser draws it: a table of cells, or patches on the picture; also while it still fills.

The store `<grid>-data` holds what `grid` makes, assets/causal.js draws it into the element `<grid>`. Where the element
names a store of picks, heads can be chosen in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from dash import ClientsideFunction, Dash, Input, Output, dcc, html

from viz import theme
from viz.figures.scale import limits
from viz.figures.words import names, token_names, visible

if TYPE_CHECKING:
    from backends.results import Result

MOST = 12_000
"""Cells that the browser draws one by one; a larger grid is shown as a figure only."""
NOUNS = {"position": "token", "head": "head", "strength": "strength"}


def parts(id: str, words: str, picks: str = "", pressed: str = "") -> html.Div:
    """The grid called `words`, its scale and the words of the cell in focus; `pressed` says what a pick does."""
    told = {"data-picks": picks, "data-pressed": pressed} if picks else {}
    return html.Div(
        [
            dcc.Store(id=f"{id}-data"),
            html.Div(id=f"{id}-said", className="effects-said", role="status"),
            html.Div(id=id, className="effects", **{"data-words": words, **told}),
            html.Div(id=f"{id}-scale", className="effects-scale"),
            html.Div(id=f"{id}-words", className="effects-words", role="status"),
        ]
    )


def register(app: Dash, id: str, picks: str) -> None:
    """Draw the grid whenever its numbers, or the picks in the store `picks`, change."""
    app.clientside_callback(
        ClientsideFunction("causal", "draw"),
        Output(f"{id}-scale", "data-drawn"),
        Input(f"{id}-data", "data"),
        Input(picks, "data"),
        Input(f"{id}-scale", "id"),
    )


def of_result(
    result: Result, key: str, image: str = "", scale: tuple[float, float] | None = None
) -> dict[str, Any] | None:
    """The effects of a result, on a scale of their own unless one is given; None where there are none, or too many."""
    axes = result.axes.get("effect", ())
    values = result.arrays.get("effect")
    if values is None or len(axes) != 2 or values.size > MOST:
        return None
    across = axes[1]
    columns = token_names(result, values.shape[1]) if across == "position" else names(result, across, values.shape[1])
    other = result.facts.get("corrupted_tokens") if across == "position" else None
    place = None
    if image and across == "position" and result.facts.get("grid"):
        place = {"grid": list(result.facts["grid"]), "first": int(result.facts.get("first_patch", 0))}
    return {
        **grid(values, names(result, "layer", len(values)), across, columns, result.unit, other, image, place, scale),
        "asked": key,
    }


def grid(
    values: Any, rows: Sequence[str], across: str, columns: Sequence[str], unit: str,
    other: Sequence[str] | None = None, image: str = "", patches: Mapping[str, Any] | None = None,
    scale: tuple[float, float] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Plain JSON of a grid (layer, across); cells that are not yet known are NaN.

    `other` are the corrupted input's tokens; `patches` says how tokens lie on the picture at `image`.
    """
    array = np.asarray(values, np.float32)
    ends = scale or limits(array, signed=True)
    flat = theme.value_colours(np.nan_to_num(array.ravel()), *ends, theme.colour_map(signed=True))
    known = np.isfinite(array)
    width = array.shape[1]
    fits = patches["first"] + patches["grid"][0] * patches["grid"][1] == width if patches else False
    return {
        "rows": [visible(r) for r in rows],
        "across": across,
        "noun": NOUNS.get(across, across),
        "columns": [visible(c, 18) for c in columns],
        "other": [visible(o, 18) if o != c else "" for o, c in zip(other, columns, strict=True)]
        if other and len(other) == len(columns)
        else None,
        "values": [[round(float(v), 6) if np.isfinite(v) else None for v in row] for row in array],
        "colours": [flat[i * width : (i + 1) * width] for i in range(len(array))],
        "inks": [[theme.ink(c) for c in flat[i * width : (i + 1) * width]] for i in range(len(array))],
        "ends": list(ends),
        "ramp": [theme.css(theme.table(theme.colour_map(signed=True))[i]) for i in range(0, 256, 15)],
        "unit": visible(unit, 60),
        "image": image if fits else "",
        "patches": dict(patches) if fits and patches else None,
        "filling": not bool(known.all()),
        "asked": "",
        "said": [],
    }


def of_preview(
    effect: Sequence[Sequence[float | None]], across: str, tokens: Sequence[str], unit: str,
    other: Sequence[str] | None, image: str, patches: Mapping[str, Any] | None,
) -> dict[str, Any]:  # fmt: skip
    """The grid of a job that still runs, from what it has shown of its answer."""
    values = np.array([[np.nan if v is None else v for v in row] for row in effect], np.float32)
    width = values.shape[1]
    if patches and patches["first"] + patches["grid"][0] * patches["grid"][1] == width:
        columns = patch_names(patches)
    else:
        columns = list(tokens) if len(tokens) == width and across == "position" else [str(i) for i in range(width)]
    rows = [str(i) for i in range(len(values))]
    return grid(
        values, rows, across, columns, unit, other if len(columns) == len(other or ()) else None, image, patches
    )


def patch_names(patches: Mapping[str, Any]) -> list[str]:
    """What the tokens of a picture are called."""
    special = ["[CLS]", *(f"[special {i}]" for i in range(1, patches["first"]))][: patches["first"]]
    return [*special, *(f"r{r + 1} c{c + 1}" for r in range(patches["grid"][0]) for c in range(patches["grid"][1]))]


def empty(sentence: str) -> dict[str, Any]:
    """What stands in the place of a grid that is not there."""
    return {"empty": sentence, "asked": "", "said": []}


def computed(shown: Mapping[str, Any]) -> tuple[int, int]:
    """How many cells are known, and how many there are."""
    cells = [v for row in shown["values"] for v in row]
    return sum(v is not None for v in cells), len(cells)


def strongest(shown: Mapping[str, Any], most: int = 3) -> str:
    """The largest effects in words."""
    cells = [(v, r, c) for r, row in enumerate(shown["values"]) for c, v in enumerate(row) if v is not None]
    best = sorted(cells, key=lambda cell: -abs(cell[0]))[:most]
    noun, across = shown["noun"], shown["across"]

    def named(c: int) -> str:
        return f"“{shown['columns'][c]}” ({c})" if across == "position" else f"{noun} {shown['columns'][c]}"

    each = [f"layer {shown['rows'][r]}, {named(c)}: {v:.2f}".replace("-", "−") for v, r, c in best]
    return f"Largest: {'; '.join(each)} ({shown['unit']})." if each else ""
