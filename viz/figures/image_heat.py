"""Image attribution: the values over the picture that the model saw."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import Refused
from viz import theme
from viz.figures.scale import Scale, beyond, coloraxis, finish, heading, limits, quantity
from viz.figures.words import plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from backends.results import Result

FIRST = True


def accepts(result: Result) -> bool:
    """Whether the result is one number a pixel."""
    return result.axes.get("attribution") == ("height", "width")


def png(image: np.ndarray) -> bytes:
    """An image (height, width) or (height, width, channel), uint8, as a PNG file."""
    from PIL import Image

    pixels = np.asarray(image, np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels).save(file, "PNG")
    return file.getvalue()


def contour(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The outline of a boolean mask along its cells' edges: x and y of line pieces, each ended by NaN."""
    inside = np.pad(np.asarray(mask, bool), 1)
    rows, columns = np.nonzero(inside[1:, 1:-1] != inside[:-1, 1:-1])  # edges above row r
    flat = np.stack([columns, columns + 1, rows, rows], axis=1)
    rows, columns = np.nonzero(inside[1:-1, 1:] != inside[1:-1, :-1])  # edges left of column c
    upright = np.stack([columns, columns, rows, rows + 1], axis=1)
    pieces = np.concatenate([flat, upright]).astype(np.float32) - 0.5
    gap = np.full((len(pieces), 1), np.nan, np.float32)
    return np.hstack([pieces[:, :2], gap]).ravel(), np.hstack([pieces[:, 2:], gap]).ravel()


def draw(
    result: Result,
    opacity: float = 0.9,
    threshold: float = 0.0,
    outline: np.ndarray | None = None,
    scale: Scale | None = None,
    colours: str | None = None,
    dark: bool = False,
) -> Figure:
    """The attribution over the image.

    Over an image the opacity follows the value: none at zero, `opacity` at the scale's ends. `threshold` is a
    share, 0 to 1, of the scale's end below which nothing is drawn; `outline` is a mask (height, width) whose border
    is drawn, such as the ground truth.
    """
    import plotly.graph_objects as go

    values = np.asarray(result.arrays["attribution"], np.float32)
    height, width = values.shape
    ends = scale or limits(values, result.signed)
    notes = [beyond(values, ends)]
    if threshold > 0:
        least = threshold * max(abs(ends[0]), abs(ends[1]))
        values = np.where(np.abs(values) < least, np.float32("nan"), values)
        notes.append(f"hidden below {least:.3g} {plain(result.unit)}".strip())
    unit = plain(result.unit or "no unit", 40)
    figure = go.Figure(
        go.Heatmap(
            z=values,
            coloraxis="coloraxis",
            hovertemplate="row %{y}, column %{x}<br>%{z:.4g} " + unit + "<extra></extra>",
            hoverongaps=False,
        )
    )
    if "image" in result.arrays:
        notes.append(f"over the image; opacity follows the value, {opacity:.0%} at the scale's end")
        figure.add_layout_image(_below(result.arrays["image"], height, width))
    if outline is not None:
        figure.add_traces(_outline(outline, (height, width)))
        notes.append("green outline: ground truth")
    axis = coloraxis(result.signed, ends, quantity("attribution", result.unit), colours)
    if "image" in result.arrays:
        axis["colorscale"] = theme.fading_scale(theme.colour_map(result.signed, colours), opacity)
    figure.update_layout(coloraxis=axis)
    figure.update_xaxes(title_text="column (pixel)", range=[-0.5, width - 0.5], constrain="domain", showgrid=False)
    figure.update_yaxes(title_text="row (pixel)", range=[height - 0.5, -0.5], scaleanchor="x", showgrid=False)
    figure.update_layout(xaxis_zeroline=False, yaxis_zeroline=False, yaxis_constrain="domain", showlegend=False)
    return finish(figure, heading(result), notes, dark, 560)


def _below(image: np.ndarray, height: int, width: int) -> dict[str, Any]:
    source = "data:image/png;base64," + base64.b64encode(png(image)).decode()
    place = {"x": -0.5, "y": -0.5, "sizex": width, "sizey": height, "xref": "x", "yref": "y"}
    return {"source": source, "sizing": "stretch", "layer": "below", "yanchor": "top", **place}


def _outline(mask: np.ndarray, shape: tuple[int, int]) -> list[Any]:
    """The mask's border, bright on a dark one, so that it shows on any image."""
    import plotly.graph_objects as go

    if np.shape(mask) != shape:
        raise Refused(f"the outline has shape {np.shape(mask)} but the map has {shape}")
    x, y = contour(mask)
    common = {"x": x, "y": y, "mode": "lines", "hoverinfo": "skip", "name": "ground truth"}
    edge = go.Scatter(line={"color": "#000000", "width": 4}, **common)
    return [edge, go.Scatter(line={"color": theme.GROUND_TRUTH, "width": 2}, **common)]
