"""A figure drawn as SVG without a browser: heat maps, bars and lines with their axes, colour bar and legend.

It draws what the builders in `viz.figures` use of plotly, so that a notebook and a page that leaves need no plotly.js.
What it cannot draw it says: a figure with another kind of trace is refused.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import Refused
from backends.results import Result
from viz import figures, theme
from viz.report import svg
from viz.report.axis import Axis, axes_of, plain_text

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

C = theme.LIGHT
WIDTH, HEIGHT = 860.0, 460.0
TOP, BAR = 58.0, 96.0
DASHES = {"dash": "6 4", "dot": "2 3", "dashdot": "6 3 2 3", "longdash": "10 4", "longdashdot": "10 3 2 3"}
KINDS = ("heatmap", "scatter", "bar")


def of_result(result: Result, part: Mapping[str, str] | None = None) -> list[svg.Drawing]:
    """Every figure that fits the result, the first one first; those that cannot be drawn here are left out.

    `part` names what is shown of many maps, such as {"layer": "1", "head": "2"}. Raises `Refused` on what is not there.
    """
    drawn = []
    for name in figures.available(result):
        known = inspect.signature(figures.builders()[name].draw).parameters
        figure = figures.draw(result, name, **{n: v for n, v in (part or {}).items() if n in known})
        if all(trace.type in KINDS for trace in figure.data):
            drawn.append(draw(figure))
    return drawn


def draw(figure: Figure, width: float = WIDTH) -> svg.Drawing:
    """The figure as a drawing of `width` pixels. Raises `Refused` on a trace that is no heat map, line or bar."""
    unknown = [trace.type for trace in figure.data if trace.type not in KINDS]
    if unknown:
        raise Refused(f"a picture of {unknown[0]} cannot be drawn without a browser; there are: {', '.join(KINDS)}")
    height = float(figure.layout.height or HEIGHT)
    keys = _keys(figure)
    rows = _legend_rows(keys, width - 32)
    right = BAR if _coloured(figure) is not None else 20.0
    axes = axes_of(figure)
    left = max((a.room for a in axes.values() if a.down), default=10.0)
    bottom = max((a.room_below for a in axes.values() if not a.down), default=10.0)
    box = (left, TOP, max(width - left - right, 60.0), max(height - TOP - bottom, 60.0))
    parts = [_titles(figure, width)]
    for axis in axes.values():
        axis.place(box)
    _square(figure, axes)
    for pair in dict.fromkeys(((t.xaxis or "x"), (t.yaxis or "y")) for t in figure.data):
        parts.append(_plot(figure, axes[pair[0]], axes[pair[1]], pair))
    parts += [_annotation(a, axes, box) for a in figure.layout.annotations]
    scale = _coloured(figure)
    if scale is not None:
        edge = max((a.start + a.length for a in axes.values() if not a.down), default=box[0] + box[2])
        parts.append(_colour_bar(scale, edge + 18, TOP, min(box[3], 260.0)))
    low = height + 6
    for row in rows:
        parts.append(_legend(row, low))
        low += 20
    return svg.Drawing(width, low + 4, "".join(parts))


def _titles(figure: Figure, width: float) -> str:
    title = figure.layout.title
    told = plain_text(title.text if title else "")
    note = plain_text((title.subtitle.text if title and title.subtitle else "") or "")
    text = svg.words(svg.cut(told, 15, width - 24, True), 8, 22, 15, C["ink"], bold=True)
    return text + svg.words(svg.cut(note, 11.5, width - 24), 8, 41, 11.5, C["muted"])


def _square(figure: Figure, axes: dict[str, Axis]) -> None:
    """Give axes that are tied to each other the same pixels for a unit."""
    for key, axis in axes.items():
        tied = axes.get(axis.tied) if axis.tied else None
        if tied is None or key == axis.tied:
            continue
        step = min(abs(axis.length / (axis.span or 1)), abs(tied.length / (tied.span or 1)))
        for one in (axis, tied):
            one.shrink(step * abs(one.span))


# ---- one plot ------------------------------------------------------------------------------------


def _plot(figure: Figure, x: Axis, y: Axis, pair: tuple[str, str]) -> str:
    traces = [(i, t) for i, t in enumerate(figure.data) if ((t.xaxis or "x"), (t.yaxis or "y")) == pair]
    frame = svg.rect(x.start, y.end, x.length, y.length, "none", C["line"])
    parts = [frame, x.grid(y), y.grid(x)]
    parts += [_picture(i, x, y) for i in figure.layout.images if (i.xref, i.yref) == pair]
    stacks: dict[Any, list[float]] = {}
    bars = [t for _, t in traces if t.type == "bar"]
    for i, trace in traces:
        if trace.type == "heatmap":
            parts.append(_heat(figure, trace, x, y))
        elif trace.type == "bar":
            parts.append(_bars(figure, trace, i, x, y, bars.index(trace), len(bars), stacks))
        else:
            parts.append(_scatter(figure, trace, i, x, y))
    parts += [_shape(s, x, y) for s in figure.layout.shapes]
    return "".join([*parts, x.ticks(y), y.ticks(x)])


def _picture(image: Any, x: Axis, y: Axis) -> str:
    """A picture below the values, at its place along the axes."""
    left, top = x.at(image.x), y.at(image.y)
    right, low = x.at(image.x + image.sizex), y.at(image.y + (image.sizey if y.backwards else -image.sizey))
    place = f'x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{abs(low - top):.1f}"'
    source = str(image.source)
    if not re.fullmatch(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+", source):
        return ""
    return f'<image {place} preserveAspectRatio="none" href="{source}"/>'


def _heat(figure: Figure, trace: Any, x: Axis, y: Axis) -> str:
    values = np.asarray(trace.z, np.float64)
    scale = _scale_of(figure, trace, values)
    pixels = _colours(values, scale)
    (left, right), (top, low) = x.edges(trace.x, values.shape[1]), y.edges(trace.y, values.shape[0])
    pixels = pixels[:, ::-1] if right < left else pixels
    pixels = pixels[::-1] if low < top else pixels
    box = min(left, right), min(top, low), abs(right - left), abs(low - top)
    drawn = svg.image(np.ascontiguousarray(pixels), *box)
    if trace.texttemplate is None or trace.text is None or values.size > 600:
        return drawn
    size = min(12.0, abs(low - top) / values.shape[0] * 0.6, abs(right - left) / values.shape[1] * 0.4)
    told = []
    for (r, c), text in np.ndenumerate(np.asarray(trace.text, object)):
        behind = theme.css(pixels[r if low > top else -1 - r, c if right > left else -1 - c, :3])
        place = x.at(_key(trace.x, c)), y.at(_key(trace.y, r)) + size * 0.35
        told.append(svg.words(plain_text(str(text)), *place, size, theme.ink(behind), anchor="middle"))
    return drawn + "".join(told)


def _key(places: Any, index: int) -> Any:
    return index if places is None else places[index]


def _bars(figure: Figure, trace: Any, at: int, x: Axis, y: Axis, place: int, many: int, stacks: dict[Any, Any]) -> str:
    lying = trace.orientation == "h"
    along, up = (y, x) if lying else (x, y)
    keys, values = (trace.y, trace.x) if lying else (trace.x, trace.y)
    values = np.nan_to_num(np.asarray(values, np.float64))
    keys = range(len(values)) if keys is None else keys
    stacked = figure.layout.barmode in ("stack", "relative", "overlay")
    step = along.step() * (1 - float(figure.layout.bargap or 0.2))
    wide = step if stacked or many < 2 else step / many
    colours = _point_colours(figure, trace, at, values)
    parts = []
    for key, value, colour in zip(keys, values.tolist(), colours, strict=True):
        base = stacks.setdefault(key, [0.0, 0.0]) if figure.layout.barmode in ("stack", "relative") else [0.0, 0.0]
        begin = base[0] if value >= 0 else base[1]
        base[0 if value >= 0 else 1] = begin + value
        a, b = sorted((up.at(begin), up.at(begin + value)))
        middle = along.at(key) - step / 2 + (0 if stacked or many < 2 else place * wide)
        box = (a, middle, b - a, wide) if lying else (middle, a, wide, b - a)
        parts.append(svg.rect(*box, colour, C["edge"], line=0.5))
    return "".join(parts)


def _scatter(figure: Figure, trace: Any, at: int, x: Axis, y: Axis) -> str:
    xs, ys = (range(len(trace.y)) if trace.x is None else trace.x), trace.y
    points = [(x.at(a), y.at(b)) for a, b in zip(xs, ys, strict=True)]
    mode = trace.mode or "lines"
    colour = str(trace.line.color or _single(trace.marker.color) or _own_colour(figure, at))
    parts = [_errors(trace, xs, ys, x, y)]
    if "lines" in mode:
        dash = DASHES.get(str(trace.line.dash or ""), "")
        drawn = _connected(points) if trace.connectgaps else points
        if trace.fill in ("tozeroy", "toself", "tonexty", "tozerox"):
            parts.append(_filled(trace, drawn, y, colour))
        shade = _rgba(colour)
        parts.append(svg.path(drawn, shade[0], float(trace.line.width or 2), dash, shade[1]))
    if "markers" in mode:
        colours = _point_colours(figure, trace, at, np.arange(len(points), dtype=float))
        sizes = _each(trace.marker.size, len(points), 6.0)
        parts += [_dot(p, float(s), c) for p, s, c in zip(points, sizes, colours, strict=True) if _finite(p)]
    if "text" in mode and trace.text is not None:
        many = len(points)
        places = _each(trace.textposition, many, "middle center")
        told = _each(trace.text, many, ""), _each(trace.textfont.color, many, C["ink"]), places
        size = float(_single(trace.textfont.size) or 11)
        parts += [_label(p, text, str(ink), place, size) for p, text, ink, place in zip(points, *told, strict=True)]
    return "".join(parts)


def _connected(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [p for p in points if _finite(p)]


def _finite(point: tuple[float, float]) -> bool:
    return all(map(math.isfinite, point))


def _filled(trace: Any, points: Sequence[tuple[float, float]], y: Axis, colour: str) -> str:
    fill, opacity = _rgba(str(trace.fillcolor or colour))
    kept = _connected(points)
    if not kept:
        return ""
    ends = [] if trace.fill == "toself" else [(kept[-1][0], y.at(max(y.low, 0))), (kept[0][0], y.at(max(y.low, 0)))]
    place = " ".join(f"{a:.1f},{b:.1f}" for a, b in [*kept, *ends])
    return f'<polygon points="{place}" fill="{fill}" fill-opacity="{min(opacity, 0.35):g}"/>'


def _dot(point: tuple[float, float], size: float, colour: str) -> str:
    fill, opacity = _rgba(colour)
    shade = f' fill-opacity="{opacity:g}"' if opacity < 1 else ""
    return f'<circle cx="{point[0]:.1f}" cy="{point[1]:.1f}" r="{size / 2:.1f}" fill="{fill}"{shade}/>'


def _label(point: tuple[float, float], text: Any, colour: str, place: str, size: float) -> str:
    if not _finite(point) or text is None:
        return ""
    anchor = "start" if "right" in place else "end" if "left" in place else "middle"
    dx = 7 if "right" in place else -7 if "left" in place else 0
    dy = -8.0 if "top" in place else size + 4 if "bottom" in place else size * 0.35
    return svg.words(plain_text(str(text)), point[0] + dx, point[1] + dy, size, _rgba(colour)[0], anchor=anchor)


def _errors(trace: Any, xs: Sequence[Any], ys: Sequence[Any], x: Axis, y: Axis) -> str:
    """Whiskers along either axis, from what lies below to what lies above."""
    parts = []
    for bars, axis, lying in ((trace.error_x, x, True), (trace.error_y, y, False)):
        if bars is None or bars.array is None:
            continue
        below = bars.arrayminus if bars.arrayminus is not None else bars.array
        for a, b, up, down in zip(xs, ys, bars.array, below, strict=True):
            middle = a if lying else b
            ends = [axis.at(middle - float(down)), axis.at(middle + float(up))]
            line = [(e, y.at(b)) for e in ends] if lying else [(x.at(a), e) for e in ends]
            parts.append(svg.path(line, str(bars.color or C["edge"]), float(bars.thickness or 1.5)))
    return "".join(parts)


def _shape(shape: Any, x: Axis, y: Axis) -> str:
    """A straight line or a box along the axes, or along the whole plot where it names no axis of theirs."""
    if not str(shape.xref or "x").startswith((x.key, "paper")) or not str(shape.yref or "y").startswith(
        (y.key, "paper")
    ):
        return ""
    x0, x1 = (x.along(str(shape.xref or "x"), v) for v in (shape.x0, shape.x1))
    y0, y1 = (y.along(str(shape.yref or "y"), v) for v in (shape.y0, shape.y1))
    colour, opacity = _rgba(str(shape.line.color or C["edge"]))
    if shape.type == "rect":
        return svg.rect(min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0), "none", colour)
    return svg.path(
        [(x0, y0), (x1, y1)], colour, float(shape.line.width or 1), DASHES.get(shape.line.dash or "", ""), opacity
    )


def _annotation(note: Any, axes: dict[str, Axis], box: tuple[float, float, float, float]) -> str:
    """Words at a place of the axes or of the whole figure."""
    at = []
    for ref, value, start, length, down in (
        (str(note.xref or "paper"), note.x, box[0], box[2], False),
        (str(note.yref or "paper"), note.y, box[1], box[3], True),
    ):
        axis = axes.get(ref.split(" ")[0])
        if axis is not None:
            at.append(axis.along(ref, value))
        else:
            at.append(start + length * (1 - value if down else value))
    size = float(note.font.size or 12)
    anchor = {"left": "start", "right": "end"}.get(str(note.xanchor), "middle")
    colour = _rgba(str(note.font.color or C["ink"]))[0]
    drop = {"top": size, "middle": size * 0.35}.get(str(note.yanchor), -3.0)
    turn = float(note.textangle or 0)
    return svg.words(plain_text(note.text), at[0], at[1] + drop, size, colour, anchor=anchor, turn=turn)


# ---- colours -------------------------------------------------------------------------------------


class _Scale:
    """Colours of values: stops of [share, colour], the two ends, and what the bar is called."""

    def __init__(self, stops: Sequence[Sequence[Any]], low: float, high: float, title: str) -> None:
        self.low, self.high, self.title = low, high, title
        self.places = np.array([float(s[0]) for s in stops])
        shades = [_rgba(str(s[1])) for s in stops]
        self.shades = np.array([[*theme.rgb(c), 255 * o] for c, o in shades])

    def __call__(self, values: np.ndarray) -> np.ndarray:
        share = np.clip((values - self.low) / ((self.high - self.low) or 1), 0, 1)
        known = np.nan_to_num(share)
        colours = np.stack([np.interp(known, self.places, self.shades[:, c]) for c in range(4)], -1)
        colours[np.isnan(values), 3] = 0
        return np.rint(colours).astype(np.uint8)


def _colours(values: np.ndarray, scale: _Scale) -> np.ndarray:
    return scale(values)


def _coloured(figure: Figure) -> _Scale | None:
    """The scale of the figure's colour bar; None where it has none."""
    axis = figure.layout.coloraxis
    if axis is not None and axis.colorscale is not None and axis.cmin is not None and axis.showscale is not False:
        return _Scale(axis.colorscale, axis.cmin, axis.cmax, plain_text(axis.colorbar.title.text or ""))
    for trace in figure.data:
        marker = trace.marker if trace.type != "heatmap" else None
        if marker is not None and marker.showscale and marker.colorscale and marker.cmin is not None:
            return _Scale(marker.colorscale, marker.cmin, marker.cmax, plain_text(marker.colorbar.title.text or ""))
        if trace.type == "heatmap" and trace.showscale is not False and trace.coloraxis is None and trace.colorscale:
            return _scale_of(figure, trace, np.asarray(trace.z, np.float64))
    return None


def _scale_of(figure: Figure, trace: Any, values: np.ndarray) -> _Scale:
    axis = figure.layout.coloraxis
    if trace.coloraxis is not None and axis is not None and axis.colorscale is not None:
        return _Scale(axis.colorscale, *_ends(axis.cmin, axis.cmax, values), "")
    stops = trace.colorscale or theme.scale("viridis")
    title = trace.colorbar.title.text if trace.colorbar and trace.colorbar.title else ""
    return _Scale(stops, *_ends(trace.zmin, trace.zmax, values), plain_text(title or ""))


def _ends(low: Any, high: Any, values: np.ndarray) -> tuple[float, float]:
    there = values[np.isfinite(values)]
    first = float(low) if low is not None else float(there.min()) if there.size else 0.0
    return first, float(high) if high is not None else float(there.max()) if there.size else 1.0


def _point_colours(figure: Figure, trace: Any, at: int, values: np.ndarray) -> list[str]:
    """A colour for each point or bar."""
    given, many = trace.marker.color, len(values)
    if given is None or isinstance(given, str):
        return [_rgba(str(given or _own_colour(figure, at)))[0]] * many
    if len(given) and isinstance(given[0], str):
        return [str(c) for c in given]
    numbers = np.asarray(given, np.float64)
    axis = figure.layout.coloraxis if trace.marker.coloraxis is not None else trace.marker
    scale = _Scale(axis.colorscale or theme.scale("viridis"), *_ends(axis.cmin, axis.cmax, numbers), "")
    return [theme.css(c[:3]) for c in scale(numbers)]


def _own_colour(figure: Figure, at: int) -> str:
    palette = theme.palette(False)
    return palette[at % len(palette)]


def _single(value: Any) -> Any:
    return None if value is None or not isinstance(value, (str, int, float)) else value


def _each(value: Any, many: int, usual: Any) -> list[Any]:
    if value is None or isinstance(value, (str, int, float)):
        return [usual if value is None else value] * many
    return list(value)


def _rgba(colour: str) -> tuple[str, float]:
    """A colour of plotly as `#rrggbb` and its opacity; one that is not known is the ink."""
    if re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        return colour, 1.0
    found = re.fullmatch(r"rgba?\(\s*([\d.]+)\s*,\s*([\d.]+)\s*,\s*([\d.]+)\s*(?:,\s*([\d.]+)\s*)?\)", colour)
    if found is None:
        return ("#ffffff" if colour == "white" else C["ink"]), 1.0
    red, green, blue = (min(255, float(v)) for v in found.groups()[:3])
    return theme.css((red, green, blue)), float(found.group(4) or 1)


def _colour_bar(scale: _Scale, x: float, y: float, tall: float) -> str:
    values = np.linspace(scale.high, scale.low, 128)[:, None]
    shades = scale(values)
    back = svg.rect(x, y, 14, tall, "#ffffff")
    bar = svg.image(np.ascontiguousarray(shades), x, y, 14, tall, smooth=True) + svg.rect(
        x, y, 14, tall, "none", C["edge"]
    )
    middle = 0.0 if scale.low < 0 < scale.high else (scale.low + scale.high) / 2
    told = [
        svg.words(_short(v), x + 19, y + tall * (scale.high - v) / ((scale.high - scale.low) or 1) + drop, 11, C["ink"])
        for v, drop in ((scale.high, 9), (middle, 4), (scale.low, 0))
    ]
    return back + bar + "".join(told) + svg.words(
        svg.cut(scale.title, 11.5, tall + 60), x + 70, y + tall / 2, 11.5, C["muted"], anchor="middle", turn=-90
    )  # fmt: skip


def _short(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


# ---- legend --------------------------------------------------------------------------------------


def _keys(figure: Figure) -> list[tuple[str, str, str, str]]:
    """The name, kind, colour and dash of each trace that the legend has; none where there is one or it is off."""
    if figure.layout.showlegend is False:
        return []
    named = [(i, t) for i, t in enumerate(figure.data) if t.name and t.showlegend is not False and t.type != "heatmap"]
    if len(named) < 2 and figure.layout.showlegend is not True:
        return []
    found = []
    for i, trace in named:
        line = trace.line.color if trace.type == "scatter" else None
        colour = str(line or _single(trace.marker.color) or _own_colour(figure, i))
        dash = DASHES.get(str(trace.line.dash or ""), "") if trace.type == "scatter" else ""
        kind = str(trace.mode or "lines") if trace.type == "scatter" else "bar"
        found.append((plain_text(str(trace.name)), kind, _rgba(colour)[0], dash))
    return found


def _legend_rows(keys: Sequence[tuple[str, str, str, str]], room: float) -> list[list[Any]]:
    rows: list[list[Any]] = []
    used = room + 1
    for key in keys:
        wide = svg.width_of(key[0], 12) + 48
        if used + wide > room:
            rows.append([])
            used = 0
        rows[-1].append((used, key))
        used += wide
    return rows[:8]


def _legend(row: Sequence[Any], y: float) -> str:
    parts = []
    for x, (name, kind, colour, dash) in row:
        at = 16 + x
        if "lines" in kind:
            parts.append(svg.path([(at, y + 8), (at + 24, y + 8)], colour, 2.5, dash))
        else:
            parts.append(svg.rect(at + 5, y + 2, 12, 12, colour))
        parts.append(svg.words(name, at + 30, y + 12, 12, C["ink"]))
    return "".join(parts)
