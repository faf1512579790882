"""The colour scale of a map and the words that go with it: its ends, its unit, what lies beyond."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from viz import theme
from viz.figures.words import plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

Scale = tuple[float, float]


def limits(values: np.ndarray, signed: bool) -> Scale:
    """The ends of the colour scale: symmetric about zero for signed values, else from zero (or the smallest) up."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return (-1.0, 1.0) if signed else (0.0, 1.0)
    low, high = float(finite.min()), float(finite.max())
    if signed:
        most = max(abs(low), abs(high)) or 1.0
        return -most, most
    low = min(low, 0.0)
    return (low, high) if high > low else (low, low + 1.0)


def beyond(values: np.ndarray, scale: Scale) -> str:
    """A sentence on values that the scale clips, or nothing."""
    with np.errstate(invalid="ignore"):
        slack = 1e-6 * (scale[1] - scale[0])
        count = int(((values < scale[0] - slack) | (values > scale[1] + slack)).sum())
    return f"{count} values lie beyond the shared scale and take its end's colour" if count else ""


def coloraxis(signed: bool, scale: Scale, title: str, name: str | None = None) -> dict[str, Any]:
    """A plotly colour axis with its ends fixed and its quantity and unit beside it."""
    axis = {
        "colorscale": theme.scale(theme.colour_map(signed, name)),
        "cmin": scale[0],
        "cmax": scale[1],
        "colorbar": {"title": {"text": title}},
    }
    return axis | ({"cmid": 0.0} if signed and scale[0] == -scale[1] else {})


def quantity(noun: str, unit: str) -> str:
    """A quantity with its unit, for an axis or a colour bar."""
    return f"{noun} ({plain(unit, 40) if unit else 'no unit'})"


def heading(result: Result, *rest: str) -> str:
    """What the picture shows: the method, what it explains, and by which model."""
    parts = [plain(result.method.replace("_", " "), 60).capitalize(), *(plain(r, 80) for r in rest if r)]
    if result.target:
        parts.append(f"for {plain(result.target, 60)}")
    if model := result.request.get("model"):
        parts.append(plain(short(model), 60))
    return " · ".join(parts)


def short(model: str) -> str:
    """A model's name where there is little room: of a folder with a long path its last two parts."""
    parts = [part for part in model.replace("\\", "/").split("/") if part]
    return "…/" + "/".join(parts[-2:]) if len(parts) > 3 else model


def finish(figure: Figure, title: str, notes: list[str], dark: bool, height: int | None = None) -> Figure:
    """Give the figure its template, title and notes. `title` and `notes` are already plain."""
    figure.update_layout(
        template=theme.template(dark),
        title={"text": title, "subtitle": {"text": " · ".join(n for n in notes if n)}},
        **({"height": height} if height else {}),
    )
    return figure
