"""What somebody did to an input: words or regions hidden, words swapped for others. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from backends.errors import Refused

MOST = 64
"""Edits of one input."""
LONGEST = 200
"""Letters that one word may be swapped for."""


class Edits(NamedTuple):
    """What was done to an input: `hidden` and `swapped` spans of its text, and hidden `regions` in thousandths."""

    hidden: tuple[tuple[int, int], ...] = ()
    swapped: tuple[tuple[int, int, str], ...] = ()
    regions: tuple[tuple[int, int, int, int], ...] = ()


def read(given: Sequence[Any]) -> Edits:
    """The edits that a request holds. Raises `Refused`, saying what an edit is."""
    if not isinstance(given, (list, tuple)) or len(given) > MOST:
        raise Refused(f"edits are a list of at most {MOST}")
    hidden, swapped, regions = [], [], []
    for one in given:
        numbers = [n for n in one if type(n) is int] if isinstance(one, (list, tuple)) else []
        words = one[2] if len(numbers) == 2 and len(one) == 3 else None
        if len(numbers) == 2 == len(one) and 0 <= one[0] < one[1]:
            hidden.append((one[0], one[1]))
        elif isinstance(words, str) and len(words) <= LONGEST and 0 <= one[0] < one[1]:
            swapped.append((one[0], one[1], words))
        elif len(numbers) == 4 == len(one) and _is_region(one):
            regions.append((one[0], one[1], one[2], one[3]))
        else:
            raise Refused(
                f"{str(one)[:60]} is no edit: write [start, end] to hide characters, [start, end, words] to swap them, "
                "or [top, left, bottom, right] in thousandths to hide a region of an image"
            )
    return Edits(tuple(hidden), tuple(swapped), tuple(regions))


def _is_region(one: Sequence[int]) -> bool:
    return 0 <= one[0] < one[2] <= 1000 and 0 <= one[1] < one[3] <= 1000


def swap(text: str, edits: Edits) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The text with its swaps made, and where the hidden spans lie in it. Raises `Refused` where spans overlap."""
    spans = sorted([*edits.hidden, *(s[:2] for s in edits.swapped)])
    if any(a[1] > b[0] for a, b in pairwise(spans)):
        raise Refused("two edits overlap: a word is either hidden or swapped")
    if spans and spans[-1][1] > len(text):
        raise Refused(f"an edit ends at letter {spans[-1][1]}, and the text has {len(text)}")
    words = {(a, b): new for a, b, new in edits.swapped}
    made, hidden, at = "", [], 0
    for start, end in spans:
        made += text[at:start]
        if (start, end) in words:
            made += words[start, end]
        else:
            hidden.append((len(made), len(made) + end - start))
            made += text[start:end]
        at = end
    return made + text[at:], tuple(hidden)
