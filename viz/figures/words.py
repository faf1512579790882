"""Tokens, labels and names as plain text: plotly reads `<b>` and `<a href>` in any text as markup."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from backends.errors import Refused
from backends.results import Result

_SHOWN = {"\n": "⏎", "\r": "⏎", "\t": "⇥", "\u00a0": "⍽"}
_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def visible(text: object, most: int = 32) -> str:
    """`text` on one line with its white space shown: outer spaces as `·`, line ends as `⏎`, tabs as `⇥`.

    Characters that would reorder or hide others are written as their code; beyond `most` characters it ends in `…`.
    """
    word = str(text)
    if not word:
        return "∅"
    left = len(word) - len(word.lstrip(" "))
    right = len(word) - len(word.rstrip(" ")) if left < len(word) else 0
    word = "·" * left + word[left : len(word) - right] + "·" * right
    word = "".join(_SHOWN.get(c) or (f"⟨{ord(c):04X}⟩" if unicodedata.category(c) in _HIDDEN else c) for c in word)
    return word if len(word) <= most else word[: most - 1] + "…"


_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def plain(text: object, most: int = 32) -> str:
    """`text` for any place that plotly reads as markup or as a template: shown as it is, never obeyed."""
    safe = visible(text, most).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return safe.replace("%{", "%\u200b{").replace("$", "&#36;")


def names(result: Result, axis: str, size: int) -> tuple[str, ...]:
    """The labels of `axis` as given, or their numbers where it has none."""
    found = result.labels.get(axis)
    return tuple(map(str, found)) if found and len(found) == size else tuple(str(i) for i in range(size))


def token_names(result: Result, size: int, axes: Iterable[str] = ("position", "token")) -> tuple[str, ...]:
    """The tokens along an axis of positions, under whichever of `axes` they are labelled."""
    for axis in axes:
        found = result.labels.get(axis)
        if found and len(found) == size:
            return tuple(map(str, found))
    return tuple(str(i) for i in range(size))


def places(tokens: Iterable[str]) -> list[str]:
    """Tokens as axis categories, each with its position below the line, so that repeated ones stay apart."""
    return [f"{plain(token, 20)} {str(i).translate(_SUBSCRIPT)}" for i, token in enumerate(tokens)]


def index(result: Result, axis: str, size: int, wanted: int | str) -> int:
    """The place of `wanted` on `axis`: by its label, else as a number from 0 (or from the end, negative).

    Along tokens it is a number only, since a token may look like one. Raises `Refused` with what there is.
    """
    labels = names(result, axis, size)
    if axis in ("layer", "head") and str(wanted) in labels:
        return labels.index(str(wanted))
    try:
        number = int(wanted)
    except (TypeError, ValueError):
        number = size
    if not -size <= number < size:
        there = ", ".join(plain(x) for x in labels[:12]) + (" …" if size > 12 else "")
        raise Refused(f"no {axis} {str(wanted)[:40]!r}; there are: {there}")
    return number % size


def percent(probability: float) -> str:
    """A probability as a person reads it; never 100 % for what is not certain."""
    if 0.9995 <= probability < 1:
        return "> 99.9 %"
    return f"{100 * probability:.1f} %" if probability >= 0.001 else "< 0.1 %"
