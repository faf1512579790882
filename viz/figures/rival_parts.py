"""What each part writes towards each of two answers, as pairs of bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from viz.figures import contributions
from viz.figures.words import names

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

FIRST = False


def accepts(result: Result) -> bool:
    """Whether the result shares several answers' logits out among parts."""
    return result.axes.get("contribution") == ("answer", "component")


def draw(result: Result, most: int = contributions.MOST, dark: bool = False) -> Figure:
    """The largest contributions to either answer, in the network's order."""
    values = np.asarray(result.arrays["contribution"], np.float32)
    rows = dict(zip(names(result, "answer", len(values)), values, strict=True))
    return contributions.bars(result, rows, [], most, dark)
