"""The map of a case as a drawing: words with their colours, or values over the image, each with its legend."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from backends.results import Result
from viz import theme
from viz.components.attribution_summary import number
from viz.components.token_heat_text import sides
from viz.figures.image_heat import contour
from viz.figures.scale import Scale, limits
from viz.figures.token_heat import pool
from viz.figures.token_strip import TokenColour, token_colours
from viz.figures.word_maps import content
from viz.figures.words import visible
from viz.report import svg
from viz.report.case import Case

if TYPE_CHECKING:
    from collections.abc import Iterator

INK, MUTED, EDGE = theme.LIGHT["ink"], theme.LIGHT["muted"], theme.LIGHT["edge"]
TRUTH = "#00734f"
"""The line below words that decide, readable on white."""
SIZE, LINE = 17, 34
"""Pixels of a word, and from line to line."""
TALLEST = 420
FINEST = 400
"""Values on a side of a map as it is drawn."""


def accepts(result: Result) -> bool:
    """Whether the result is a map of words or of an image."""
    return result.axes.get("attribution") in (("token",), ("height", "width"))


def places_words(result: Result) -> bool:
    """Whether the result is a drawing with a map of each word of its prompt."""
    return "image" in result.arrays and result.axes.get("heat") == ("word", "height", "width")


def draw(case: Case, width: float, most_lines: int = 40) -> svg.Drawing:
    """The map of the case, as wide as `width` at most, with its legend below."""
    result = case.result
    if result.arrays["attribution"].ndim == 1:
        drawn = text_map(result, width, case.view.scale, case.spans, most_lines)
    else:
        drawn = image_map(case, width)
    key = legend(result, case.view.scale, width, outlined(case))
    return svg.Drawing(
        width, drawn.height + 12 + key.height, drawn.markup + svg.moved(key.markup, 0, drawn.height + 12)
    )


def outlined(case: Case) -> str:
    """What is outlined or underlined, and how colours follow values where that is not linear; "" for neither."""
    if case.result.arrays["attribution"].ndim == 2:
        edge = f"green outline: the {case.truth_name} (known truth)" if case.truth is not None else ""
        return "; ".join(told for told in (SAID.get(case.view.stretch, ""), edge) if told)
    return "underlined: the words that decide (known truth)" if case.spans else ""


def text_map(
    result: Result, width: float, scale: Scale | None = None, spans: Sequence[tuple[int, int, str]] = (),
    most_lines: int = 40,
) -> svg.Drawing:  # fmt: skip
    """The text with a colour behind each word; `spans` are underlined. A text from right to left runs so."""
    pieces = list(_pieces(result, scale, spans))
    lines = _lines(pieces, width)
    more = sum(len(line) for line in lines[most_lines:])
    backwards = _backwards(str(result.facts.get("text", "")))
    parts = []
    for row, line in enumerate(lines[:most_lines]):
        at = 0.0
        for text, wide, colour, true in line:
            x = width - at - wide if backwards else at
            parts.append(_box(text, x, row * LINE, wide, colour, true))
            at += wide
    height = LINE * min(len(lines), most_lines)
    if more:
        told = f"… and {more} more pieces: the file’s numbers have them all"
        parts.append(svg.words(told, 0, height + 16, 12, MUTED))
        height += 24
    return svg.Drawing(width, height, "".join(parts))


def _pieces(result: Result, scale: Scale | None, spans: Sequence[tuple[int, int, str]]) -> Iterator[_Piece]:
    """Each piece of the text with its width, its colour ("" between words) and whether the truth covers it."""
    text, at = str(result.facts.get("text") or ""), 0
    for piece in token_colours(result, scale):
        covers = len(piece.text) if text.startswith(piece.text, at) and piece.text else 0
        true = any(a < at + covers and at < b for a, b, _ in spans) if covers else False
        yield from _broken(piece, true)
        at += covers


_Piece = tuple[str, float, str, bool]


def _broken(piece: TokenColour, true: bool) -> Iterator[_Piece]:
    """A piece in parts that fit on a line; a line end in it becomes a piece of its own."""
    for i, part in enumerate(piece.text.split("\n")):
        if i:
            yield "\n", 0.0, "", False
        while part:
            cut = 48 if len(part) > 48 else len(part)
            pad = 6 if piece.colour else 0
            yield part[:cut], svg.width_of(part[:cut], SIZE) / svg.GENEROUS * 1.04 + pad, piece.colour, true
            part = part[cut:]


def _lines(pieces: Sequence[_Piece], width: float) -> list[list[_Piece]]:
    lines: list[list[_Piece]] = [[]]
    used = 0.0
    for piece in pieces:
        if piece[0] == "\n" or (used + piece[1] > width and used):
            lines.append([])
            used = 0.0
        if piece[0] == "\n" or (not lines[-1] and not piece[2] and not piece[0].strip()):
            continue
        lines[-1].append(piece)
        used += piece[1]
    return lines


def _backwards(text: str) -> bool:
    """Whether the first letter that has a direction runs from right to left."""
    kinds = (unicodedata.bidirectional(c) for c in text)
    return next((kind for kind in kinds if kind in ("L", "R", "AL")), "L") != "L"


def _box(text: str, x: float, y: float, wide: float, colour: str, true: bool) -> str:
    fit = wide - (6 if colour else 0)
    back = svg.rect(x, y + 3, wide - 1, 24, colour, "#d5dae1", 3) if colour else ""
    line = svg.rect(x, y + 27.5, wide - 1, 3, TRUTH) if true else ""
    if not text.strip():
        return back + line
    ink = theme.ink(colour) if colour else INK
    return back + line + svg.words(text, x + (3 if colour else 0), y + 20.5, SIZE, ink, fit=fit)


def image_map(case: Case, width: float) -> svg.Drawing:
    """The image as given, and the map over it side by side at one size, the truth outlined on both."""
    values = np.asarray(case.result.arrays["attribution"], np.float32)
    rows, columns = values.shape
    gap = 16
    size = min((width - gap) / 2 / columns, TALLEST / rows) if case.pixels is not None else min(
        width / columns, TALLEST / rows
    )  # fmt: skip
    w, h = columns * size, rows * size
    edge = _outline(case.truth, size) if case.truth is not None else ""
    over = svg.coded(*coloured(values, case), 0, 0, w, h)
    parts, x = [], 0.0
    if case.pixels is not None:
        first, again = svg.once(svg.image(case.pixels, 0, 0, w, h, case.pixels.shape[1] > w) + edge)
        parts += [svg.words("Input", 0, 13, 13, MUTED), svg.moved(first, 0, 20)]
        x = w + gap
        parts.append(svg.moved(again + over + edge, x, 20))
    else:
        parts.append(svg.moved(over + edge, 0, 20))
    parts.append(svg.words("Map", x, 13, 13, MUTED))
    parts += [svg.moved(svg.rect(0, 0, w, h, "none", EDGE), at, 20) for at in dict.fromkeys((0.0, x))]
    return svg.Drawing(width, h + 24, "".join(parts))


def coloured(values: np.ndarray, case: Case) -> tuple[np.ndarray, np.ndarray]:
    """The map in 256 codes, (row, column) uint8, and their colours, (256, 4) uint8: over an image zero is clear.

    Of a map with more than `FINEST` values on a side, each code is that of the strongest in its block.
    """
    result, view = case.result, case.view
    low, high = view.scale or limits(values, result.signed)
    values, _ = pool(np.nan_to_num(values), FINEST)
    share = _bent(np.clip((values - low) / ((high - low) or 1.0), 0, 1), result.signed, view.stretch)
    places = np.linspace(0, 1, 256)
    strength = np.abs(2 * places - 1) if result.signed else places
    alpha = strength * view.opacity if case.pixels is not None else np.ones(256)
    if view.threshold > 0:
        least = view.threshold * max(abs(low), abs(high))
        ends = np.array([low, high])[:, None] if result.signed else np.array([[high]])
        edge = _bent(np.clip((np.sign(ends) * least - low) / ((high - low) or 1.0), 0, 1), result.signed, view.stretch)
        alpha = np.where((places > edge.min() if result.signed else True) & (places < edge.max()), 0, alpha)
    table = theme.table(theme.colour_map(result.signed, view.colours))
    return np.rint(share * 255).astype(np.uint8), np.column_stack([table, np.rint(alpha * 255).astype(np.uint8)])


BENDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda share: share,
    "sqrt": np.sqrt,
    "log": lambda share: np.log1p(99 * share) / np.log1p(99),
}
"""How colours follow values, as in assets/heat.js."""
SAID = {"sqrt": "colours follow the square root", "log": "colours follow the logarithm"}


def _bent(share: np.ndarray, signed: bool, stretch: str) -> np.ndarray:
    """Where values lie on a stretched scale; of a signed one both halves alike, from zero outwards."""
    bend = BENDS[stretch]
    return 0.5 + 0.5 * np.sign(share - 0.5) * bend(np.abs(2 * share - 1)) if signed else bend(share)


def _outline(mask: np.ndarray, size: float) -> str:
    x, y = contour(mask)
    points = list(zip(((x + 0.5) * size).tolist(), ((y + 0.5) * size).tolist(), strict=True))
    return svg.path(points, "#000000", 4) + svg.path(points, theme.GROUND_TRUTH, 2)


def word_maps(result: Result, width: float, most: int = 11) -> svg.Drawing:
    """The drawing, then beside and below it the map of each word that names something, all on one scale."""
    picture, heat = result.arrays["image"], np.asarray(result.arrays["heat"], np.float32)
    names = result.labels["word"]
    named = content(names)
    shown = sorted(named or range(len(names)), key=lambda i: -float(heat[i].max()))[:most]
    top = float(heat[shown].max(initial=0)) or 1.0
    across, gap = 4, 14.0
    size = (width - gap * (across - 1)) / across
    tall = size * picture.shape[0] / picture.shape[1]
    pixels = np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture[..., :3]
    tiles = [("the drawing", None), *((visible(names[i], 24), i) for i in sorted(shown))]
    parts = []
    for at, (name, word) in enumerate(tiles):
        inner = svg.image(np.ascontiguousarray(pixels), 0, 20, size, tall, pixels.shape[1] > size)
        if word is not None:
            inner += svg.image(_warm(np.clip(heat[word] / top, 0, 1)), 0, 20, size, tall, smooth=True)
        inner += svg.words(svg.cut(name, 13, size), 0, 13, 13, INK, bold=word is not None)
        inner += svg.rect(0, 20, size, tall, "none", EDGE)
        parts.append(svg.moved(inner, (at % across) * (size + gap), (at // across) * (tall + 34)))
    y = -(-len(tiles) // across) * (tall + 34)
    left = f" The {len(named) - len(shown)} other words are in the numbers." if len(named) > len(shown) else ""
    told = f"One scale for all: full colour is {number(top)} {result.unit}; clear is none.{left}"
    lines, y = svg.paragraph(told, 0, y + 8, 12, MUTED, width)
    return svg.Drawing(width, y - 8, "".join(parts) + lines)


def _warm(share: np.ndarray) -> np.ndarray:
    """Shares 0 to 1 as a colour that is clear at zero, (row, column, 4) uint8."""
    table = theme.table("viridis")[np.rint(share * 255).astype(int)]
    return np.dstack([table, np.rint(share * 204).astype(np.uint8)])


def legend(result: Result, scale: Scale | None, width: float, more: str = "") -> svg.Drawing:
    """The colours with the scale's ends and unit, what its two sides mean, and what is outlined."""
    low, high = scale or limits(result.arrays["attribution"], result.signed)
    colours = theme.table(theme.colour_map(result.signed))[None, :, :]
    ends = number(low, result.signed), number(high, result.signed)
    left = svg.width_of(ends[0], 12) + 6
    bar = svg.image(np.ascontiguousarray(colours), left, 0, 150, 13, smooth=True) + svg.rect(
        left, 0, 150, 13, "none", EDGE
    )
    parts = [svg.words(ends[0], 0, 11, 12, INK), bar]
    parts.append(svg.words(f"{ends[1]} {result.unit or 'no unit'}", left + 156, 11, 12, INK))
    told = "; ".join(t for t in (meaning(result), more) if t)
    lines, y = svg.paragraph(told[:1].upper() + told[1:] + ".", 0, 32, 12, MUTED, width)
    return svg.Drawing(width, y - 8, "".join(parts) + lines)


def meaning(result: Result) -> str:
    """What the colours say; over an image zero is clear and not white."""
    over = "image" in result.arrays and result.signed
    return sides(result).replace("white says nothing", "clear says nothing") if over else sides(result)
