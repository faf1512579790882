"""One axis of a drawn figure: from values or names to pixels, its ticks, its grid and its title."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from viz import theme
from viz.report import svg

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

C = theme.LIGHT
SIZE = 11.0
_MARKUP = re.compile(r"</?(?:b|i|br|sub|sup|span|a|em|strong)\b[^>]*>", re.IGNORECASE)


def plain_text(text: object) -> str:
    """A text of plotly without its markup, and its entities as letters."""
    bare = html.unescape(_MARKUP.sub(" ", str(text or "")))
    return re.sub(r" {2,}", " ", bare.replace("\u200b", "")).strip()


class Axis:
    """Where a value lies along an axis. `key` is plotly's name of it; `down` is true of an upright one."""

    def __init__(self, key: str, about: Any, values: Sequence[Any], zero: bool, pad: bool, cells: bool) -> None:
        self.key, self.about, self.down = key, about, key.startswith("y")
        self.names: dict[Any, int] = {}
        named = about.type == "category" or (about.type is None and any(isinstance(v, str) for v in values))
        if named:
            for name in [*(about.categoryarray or ()), *values]:
                self.names.setdefault(name, len(self.names))
        self.log = about.type == "log"
        self.backwards = about.autorange == "reversed"
        self.low, self.high = self._range(values, zero, pad, cells)
        if about.range and None not in about.range:
            first, last = (float(v) for v in about.range)
            self.backwards, (self.low, self.high) = first > last, sorted((first, last))
        self.tied = str(about.scaleanchor) if about.scaleanchor else ""
        self.domain = tuple(about.domain or (0.0, 1.0))
        self.hidden = about.visible is False or about.showticklabels is False
        self.title = plain_text(about.title.text if about.title else "")
        self.start = self.length = 0.0

    def _range(self, values: Sequence[Any], zero: bool, pad: bool, cells: bool) -> tuple[float, float]:
        if self.names:
            return -0.5, len(self.names) - 0.5
        numbers = np.array([float(v) for v in values if v is not None], np.float64)
        numbers = np.log10(numbers[numbers > 0]) if self.log else numbers
        numbers = numbers[np.isfinite(numbers)]
        if not numbers.size:
            return 0.0, 1.0
        low, high = float(numbers.min()), float(numbers.max())
        if zero and not self.log:
            low, high = min(low, 0.0), max(high, 0.0)
        if cells:
            step = (high - low) / max(len(np.unique(numbers)) - 1, 1) or 1.0
            return low - step / 2, high + step / 2
        room = (high - low) * (0.06 if pad else 0.0) or (0.0 if high > low else 0.5)
        return low - room * (not (zero and low == 0)), high + room * (not (zero and high == 0))

    # ---- places ----------------------------------------------------------------------------------

    @property
    def span(self) -> float:
        """The length of the axis in its own unit."""
        return self.high - self.low

    @property
    def end(self) -> float:
        """The pixel of the upper or left edge."""
        return self.start

    def place(self, box: tuple[float, float, float, float]) -> None:
        """Lay the axis along its share of the plot's box (left, top, width, height)."""
        first, last = self.domain
        if self.down:
            self.start, self.length = box[1] + box[3] * (1 - last), box[3] * (last - first)
        else:
            self.start, self.length = box[0] + box[2] * first, box[2] * (last - first)

    def shrink(self, length: float) -> None:
        """Make the axis shorter, at the same beginning."""
        self.length = min(length, self.length)

    def at(self, value: Any) -> float:
        """The pixel of a value or of a name; NaN where it has none."""
        number = float(self.names.get(value, math.nan)) if self.names and isinstance(value, str) else math.nan
        if number != number:
            try:
                number = float(self.names[value]) if value in self.names else float(value)
            except (TypeError, ValueError):
                return math.nan
            if self.log and value not in self.names:
                number = math.log10(number) if number > 0 else math.nan
        share = (number - self.low) / (self.span or 1)
        upwards = self.down != self.backwards
        return self.start + self.length * (1 - share if upwards else share)

    def along(self, reference: str, value: Any) -> float:
        """The pixel of a value of the axis, or of a share of its length where `reference` says domain or paper."""
        if "domain" in reference or reference == "paper":
            share = float(value)
            return self.start + self.length * (1 - share if self.down else share)
        return self.at(value)

    def edges(self, places: Any, many: int) -> tuple[float, float]:
        """The pixels where the first cell begins and the last one ends."""
        keys = list(range(many)) if places is None else list(places)
        first, last = self.at(keys[0]), self.at(keys[-1])
        half = (last - first) / (many - 1) / 2 if many > 1 else (self.at(self.low + 1) - self.at(self.low)) / 2
        return first - half, last + half

    def step(self) -> float:
        """Pixels from one name or whole number to the next."""
        return self.length / (self.span or 1)

    # ---- ticks -----------------------------------------------------------------------------------

    def marks(self) -> list[tuple[float, str]]:
        """The pixel and the words of each tick; of names that stand too close, every second, third, …"""
        about = self.about
        if about.tickvals is not None:
            texts = about.ticktext if about.ticktext is not None else about.tickvals
            given = [(self.at(v), plain_text(t)) for v, t in zip(about.tickvals, texts, strict=False)]
        elif self.names:
            given = [(self.at(name), plain_text(name)) for name in self.names]
        elif self.log:
            given = [(self.at(10**e), _power(e)) for e in range(math.ceil(self.low), math.floor(self.high) + 1)]
        else:
            given = [(self.at(v), _number(v)) for v in nice(self.low, self.high)]
        inside = [m for m in given if self.start - 1 <= m[0] <= self.start + self.length + 1]
        room = self.length / max(len(inside), 1) if self.length else 20
        every = max(1, math.ceil(13 / max(room, 0.1)))
        return inside[::every]

    @property
    def longest(self) -> float:
        """The width of the longest tick label."""
        kept = self.length
        self.length = self.length or 400.0
        found = max((svg.width_of(svg.cut(t, SIZE, 150), SIZE) for _, t in self.marks()), default=0.0)
        self.length = kept
        return 0.0 if self.hidden else found

    @property
    def room(self) -> float:
        """What an upright axis needs to its left."""
        return self.longest + (30 if self.title else 12)

    @property
    def slanted(self) -> bool:
        """Whether the labels of a lying axis must lean."""
        many = len(self.names) or 8
        return self.about.tickangle not in (None, 0) or (bool(self.names) and self.longest > 700 / max(many, 1) - 6)

    @property
    def room_below(self) -> float:
        """What a lying axis needs below."""
        return (self.longest * 0.87 + 14 if self.slanted else 20.0) + (24 if self.title else 4)

    def grid(self, other: Axis) -> str:
        """Lines across the plot at the ticks."""
        if self.about.showgrid is False or self.names:
            return ""
        ends = other.start, other.start + other.length
        lines = [[(e, p) for e in ends] if self.down else [(p, e) for e in ends] for p, _ in self.marks()]
        return "".join(svg.path(line, C["line"], 1) for line in lines)

    def ticks(self, other: Axis) -> str:
        """The words at the ticks, and the axis' title."""
        if self.about.visible is False:
            return ""
        parts = (
            [] if self.hidden else [self._tick(place, svg.cut(text, SIZE, 150), other) for place, text in self.marks()]
        )
        if self.title:
            middle = self.start + self.length / 2
            if self.down:
                parts.append(
                    svg.words(
                        self.title, other.start - self.longest - 16, middle, 12, C["muted"], anchor="middle", turn=-90
                    )
                )
            else:
                low = other.start + other.length + self.room_below - 8
                parts.append(svg.words(self.title, middle, low, 12, C["muted"], anchor="middle"))
        return "".join(parts)

    def _tick(self, place: float, text: str, other: Axis) -> str:
        if self.down:
            return svg.words(text, other.start - 7, place + 4, SIZE, C["ink"], anchor="end")
        if self.slanted:
            return svg.words(text, place + 4, other.start + other.length + 13, SIZE, C["ink"], anchor="end", turn=-60)
        return svg.words(text, place, other.start + other.length + 16, SIZE, C["ink"], anchor="middle")


def axes_of(figure: Figure) -> dict[str, Axis]:
    """Every axis that a trace lies along, by plotly's short name of it."""
    found: dict[str, Axis] = {}
    for letter in "xy":
        for key in dict.fromkeys(getattr(t, f"{letter}axis") or letter for t in figure.data):
            traces = [t for t in figure.data if (getattr(t, f"{letter}axis") or letter) == key]
            values = [v for t in traces for v in _values(t, letter)]
            bars = any(t.type == "bar" and (t.orientation == "h") == (letter == "x") for t in traces)
            across = any(t.type == "bar" and (t.orientation == "h") != (letter == "x") for t in traces)
            heat = any(t.type == "heatmap" for t in traces)
            about = getattr(figure.layout, f"{letter}axis{key[1:]}")
            found[key] = Axis(key, about, values, bars, not heat, heat or across)
    return found


def _values(trace: Any, letter: str) -> list[Any]:
    given = getattr(trace, letter)
    bars = getattr(trace, f"error_{letter}", None) if given is not None else None
    if bars is not None and bars.array is not None:
        below = bars.arrayminus if bars.arrayminus is not None else bars.array
        ends = [v + e for v, e in zip(given, bars.array, strict=True)]
        return [*given, *ends, *(v - e for v, e in zip(given, below, strict=True))]
    if given is not None:
        return list(given)
    if trace.type == "heatmap":
        return list(range(np.shape(trace.z)[letter == "x"]))
    other = trace.y if letter == "x" else trace.x
    return list(range(len(other))) if other is not None else []


def nice(low: float, high: float, most: int = 8) -> list[float]:
    """Round numbers from `low` to `high`, at most `most`."""
    span = high - low
    if not span > 0 or not math.isfinite(span):
        return [low] if math.isfinite(low) else []
    rough = span / most
    unit = 10 ** math.floor(math.log10(rough))
    step = next(s * unit for s in (1, 2, 5, 10) if s * unit >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _number(value: float) -> str:
    return f"{value:.6g}".replace("-", "−")


def _power(exponent: int) -> str:
    return _number(10**exponent) if -4 < exponent < 5 else f"1e{exponent}"
