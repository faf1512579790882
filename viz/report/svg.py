"""Pictures written as SVG: text that stays in its place in any font, shapes, images, and lines that wrap.

A picture may be opened where its fonts are not. So every line of text has a width that was computed here from the
metrics of Helvetica, a little generously, and pieces that stand in boxes carry it as `textLength`.
"""

from __future__ import annotations

import base64
import hashlib
import io
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

FONT = "system-ui, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', 'DejaVu Sans', Arial, sans-serif"
"""Fonts of every system, the last of them generic; no name has a double quote, which would end the attribute."""
GENEROUS = 1.16
"""How much wider than Helvetica the fonts of some systems are."""
LARGE = 60_000
"""Bytes of a PNG from which a photograph becomes a JPEG."""
SIDE = 768
"""Pixels along the longer side of a photograph, at most."""
_WIDTHS = {
    "ijl'": 0.222, "|": 0.26, " !,./:;I[]\\ft": 0.278, "()-`r{}": 0.333, '"*': 0.37, "^": 0.469,
    "ckJsvxyz": 0.5, "0123456789abdeghnopquL#$?_": 0.556, "+<=>~": 0.584, "FTZ": 0.611,
    "&ABEKPSVXY": 0.667, "CDHNRUw": 0.722, "GOQ": 0.778, "mM": 0.833, "%W@": 0.95,
}  # fmt: skip
_WIDTH = {letter: width for letters, width in _WIDTHS.items() for letter in letters}
_HIDDEN = ("Cc", "Cs", "Cf")


class Drawing(NamedTuple):
    """A part of a picture: its width and height in pixels, and its SVG markup, drawn from (0, 0)."""

    width: float
    height: float
    markup: str


def escape(text: object) -> str:
    """A text as it stands in markup; what XML cannot hold is left out."""
    kept = "".join(c for c in str(text) if unicodedata.category(c) not in _HIDDEN or c in "\u200d\u200c\t")
    return kept.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;")


def width_of(text: str, size: float, bold: bool = False) -> float:
    """How wide `text` stands at `size` pixels, at most, in the fonts that systems have."""
    return sum(map(_advance, text)) * size * GENEROUS * (1.06 if bold else 1)


def _advance(letter: str) -> float:
    if letter in _WIDTH:
        return _WIDTH[letter]
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0.0
    return 1.0 if unicodedata.east_asian_width(letter) in "WF" or ord(letter) > 0x1F000 else 0.62


def wrapped(text: str, size: float, room: float, most: int = 60, bold: bool = False) -> list[str]:
    """`text` in lines no wider than `room`, at most `most`; the last one ends in `…` where more was there."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in _pieces(paragraph, size, room, bold):
            if line and width_of(line + word.rstrip(), size, bold) > room:
                lines.append(line.rstrip())
                line = word.lstrip()
            else:
                line += word
        lines.append(line.rstrip())
    if len(lines) > most:
        lines = [*lines[: most - 1], _cut(lines[most - 1] + " …", size, room, bold)]
    return lines


def _pieces(text: str, size: float, room: float, bold: bool) -> list[str]:
    """Words with the space behind them; what is wider than a line, and scripts without spaces, by the letter."""
    found: list[str] = []
    for word in text.split(" "):
        whole = width_of(word, size, bold) <= room and not any(unicodedata.east_asian_width(c) == "W" for c in word)
        found += [word + " "] if whole else [*word[:-1], word[-1:] + " "]
    return found


def _cut(text: str, size: float, room: float, bold: bool) -> str:
    while len(text) > 2 and width_of(text, size, bold) > room:
        text = text[:-3] + " …" if text.endswith(" …") else text[:-1] + " …"
    return text


def cut(text: str, size: float, room: float, bold: bool = False) -> str:
    """`text` on one line no wider than `room`, ended by `…` where it was longer."""
    text = " ".join(text.split())
    return text if width_of(text, size, bold) <= room else _cut(text, size, room, bold)


def words(
    text: str, x: float, y: float, size: float, fill: str, *, bold: bool = False, anchor: str = "start",
    fit: float | None = None, turn: float = 0, mono: bool = False,
) -> str:  # fmt: skip
    """One line of text with its baseline at y; `fit` is the width that it takes in every font, `turn` in degrees."""
    if not text:
        return ""
    about = [f'font-size="{size:g}"', f'fill="{fill}"']
    about += ['font-weight="600"'] if bold else []
    about += [f'text-anchor="{anchor}"'] if anchor != "start" else []
    about += [f'textLength="{fit:.1f}" lengthAdjust="spacingAndGlyphs"'] if fit else []
    about += [f'transform="rotate({turn:g} {x:.1f} {y:.1f})"'] if turn else []
    about += ["font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\""] if mono else []
    return f'<text x="{x:.1f}" y="{y:.1f}" {" ".join(about)} xml:space="preserve">{escape(text)}</text>'


def paragraph(
    text: str, x: float, y: float, size: float, fill: str, room: float, most: int = 60, bold: bool = False
) -> tuple[str, float]:
    """A text in lines from the baseline y down, and where the next line would have its baseline."""
    lines = wrapped(text, size, room, most, bold)
    step = round(1.45 * size, 1)
    return "".join(words(t, x, y + i * step, size, fill, bold=bold) for i, t in enumerate(lines)), y + step * len(lines)


def rect(
    x: float, y: float, width: float, height: float, fill: str, stroke: str = "", round_: float = 0, line: float = 1
) -> str:
    """A rectangle; `stroke` is the colour of its edge."""
    edge = f' stroke="{stroke}" stroke-width="{line:g}"' if stroke else ""
    corner = f' rx="{round_:g}"' if round_ else ""
    place = f'x="{x:.2f}" y="{y:.2f}" width="{max(width, 0):.2f}" height="{max(height, 0):.2f}"'
    return f'<rect {place} fill="{fill}"{edge}{corner}/>'


def path(points: Iterable[Sequence[float]], stroke: str, line: float = 1.5, dash: str = "", opacity: float = 1) -> str:
    """A line through points (x, y); one that is not finite begins a new piece."""
    parts, pen = [], "M"
    for x, y in points:
        if x != x or y != y or abs(x) == float("inf") or abs(y) == float("inf"):
            pen = "M"
            continue
        parts.append(f"{pen}{x:.1f} {y:.1f}")
        pen = "L"
    about = f' stroke-dasharray="{dash}"' if dash else ""
    about += f' stroke-opacity="{opacity:g}"' if opacity < 1 else ""
    return f'<path d="{"".join(parts)}" fill="none" stroke="{stroke}" stroke-width="{line:g}"{about}/>'


def image(pixels: np.ndarray, x: float, y: float, width: float, height: float, smooth: bool = False) -> str:
    """Pixels (row, column, channel) uint8, of 3 or 4 channels, stretched over a box; crisp unless `smooth`.

    A photograph whose PNG is large travels as JPEG, and one of more than `SIDE` pixels as a smaller copy.
    """
    from PIL import Image

    picture = Image.fromarray(pixels)
    if smooth:
        picture.thumbnail((SIDE, SIDE))
    content, kind = _file(picture, "PNG"), "png"
    if len(content) > LARGE and picture.mode == "RGB":
        content, kind = _file(picture, "JPEG"), "jpeg"
    return _placed(content, kind, x, y, width, height, smooth)


def coded(
    codes: np.ndarray, palette: np.ndarray, x: float, y: float, width: float, height: float
) -> str:  # fmt: skip
    """A map (row, column) uint8 in the 256 colours of `palette` (256, 4), stretched over a box with crisp cells."""
    from PIL import Image

    picture = Image.fromarray(codes, "P")
    picture.putpalette(palette[:, :3].tobytes())
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True, transparency=palette[:, 3].tobytes())
    return _placed(file.getvalue(), "png", x, y, width, height, False)


def _file(picture: Any, kind: str) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **({"optimize": True} if kind == "PNG" else {"quality": 88}))
    return file.getvalue()


def _placed(content: bytes, kind: str, x: float, y: float, width: float, height: float, smooth: bool) -> str:
    source = f"data:image/{kind};base64," + base64.b64encode(content).decode()
    look = "" if smooth else ' style="image-rendering:pixelated"'
    place = f'x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"'
    return f'<image {place} preserveAspectRatio="none"{look} href="{source}"/>'


def once(part: str) -> tuple[str, str]:
    """Markup that stands at two places: what draws it first, and again; its name is made of its content."""
    name = "v" + hashlib.sha256(part.encode()).hexdigest()[:16]
    return f'<g id="{name}">{part}</g>', f'<use href="#{name}"/>'


def moved(part: str, x: float, y: float, scale: float = 1) -> str:
    """Markup drawn from another corner, and `scale` times as large."""
    larger = f" scale({scale:.4f})" if scale != 1 else ""
    return f'<g transform="translate({x:.2f} {y:.2f}){larger}">{part}</g>'


def document(drawing: Drawing, title: str, background: str = "", words: str = "") -> str:
    """A drawing as one SVG file that asks for nothing; `title` and `words` are read by a screen reader."""
    w, h = f"{drawing.width:.0f}", f"{drawing.height:.0f}"
    back = rect(0, 0, drawing.width, drawing.height, background) if background else ""
    described = f"<title>{escape(title)}</title>" + (f"<desc>{escape(words)}</desc>" if words else "")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img" '
        f'font-family="{FONT}">{described}{back}{drawing.markup}</svg>'
    )
