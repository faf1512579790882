"""The logit lens as a table of words that mouse and keyboard can walk through; `assets/lens_table.js` draws it."""

from __future__ import annotations

from typing import Any

import numpy as np
from dash import dcc, html

from backends.results import Result
from viz import theme
from viz.figures.logit_lens import LONGEST, MEASURES, token_text
from viz.figures.scale import limits
from viz.figures.words import names, token_names, visible


def parts(page: str) -> html.Div:
    """The table's place; stores `<page>-table` (what it shows) and `<page>-pick` (the cell that was chosen last)."""
    return html.Div(
        [
            dcc.Store(id=f"{page}-table"),
            dcc.Store(id=f"{page}-pick"),
            html.Div(id=f"{page}-grid", className="lens-scroll"),
            html.Div(id=f"{page}-cell", className="lens-cell", role="status"),
        ]
    )


def window(positions: int, at: int, most: int = LONGEST) -> range:
    """The positions shown: all, or `most` of them with `at` among them, the last ones if it is there."""
    if positions <= most:
        return range(positions)
    first = positions - most if at >= positions - most else min(max(at - most // 2, 0), positions - most)
    return range(first, first + most)


def table(result: Result, colour: str, at: int, most: int = LONGEST) -> dict[str, Any]:
    """What the browser draws: the top word of each layer (the last on top) and position, coloured by `colour`.

    Each cell has its word, value, colours, vocabulary id and `best`, the k best words with their probability.
    """
    probability, token = result.arrays["probability"], result.arrays["token"]
    layers, positions, _ = probability.shape
    shown = window(positions, at, most)
    whole = np.asarray(probability[..., 0] if colour == "probability" else result.arrays[colour], np.float32)
    low, high = (0.0, 1.0) if "probability" in colour else limits(whole, signed=False)
    colours = np.array(theme.value_colours(whole.ravel(), low, high, theme.colour_map(False))).reshape(whole.shape)
    words = {int(i): visible(token_text(result, int(i)), 16) for i in np.unique(token[:, shown.start : shown.stop])}
    tokens, depth = token_names(result, positions), names(result, "layer", layers)
    rows = [
        {
            "layer": depth[layer],
            "cells": [
                {
                    "word": words[int(token[layer, p, 0])],
                    "id": int(token[layer, p, 0]),
                    "value": round(float(whole[layer, p]), 4),
                    "colour": str(colours[layer, p]),
                    "ink": theme.ink(str(colours[layer, p])),
                    "best": [
                        [words[int(i)], round(float(q), 4)]
                        for i, q in zip(token[layer, p], probability[layer, p], strict=True)
                        if q > 0
                    ],
                }
                for p in shown
            ],
        }
        for layer in reversed(range(layers))
    ]
    noun, unit = MEASURES[colour]
    unit = "" if unit == "0 to 1" else unit
    return {
        "columns": [{"token": visible(tokens[p], 16), "position": p} for p in shown],
        "rows": rows,
        "noun": noun,
        "unit": unit,
        "low": low,
        "high": high,
        "ramp": [theme.css(c) for c in theme.table(theme.colour_map(False))[::15]],
        "at": at,
        "of": positions,
    }
