"""Where the words of a text begin and end, in any script: the one splitter of pages, methods and results.

Words are those of Unicode's text segmentation (UAX 29), as the library `regex` finds them: an accent, a vowel sign or
an apostrophe inside a word does not end it. Scripts that write no spaces (Thai, Lao, Han) fall into single letters
there, since only a dictionary knows their words; what is coloured is then no smaller than a token.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Iterator, Sequence

import regex

_EDGE = regex.compile(r"(?V1w)\b")
_HYPHENS = frozenset("-\u2010\u2011\u2013")

Span = tuple[int, int]


def split(text: str, hyphens: bool = False) -> list[Span]:
    """The words of `text` and its marks, each by itself, as (start, end) in characters; white space is in none.

    With `hyphens`, words that only a hyphen parts are one, such as “light-blue”.
    """
    edges = [0, *(found.start() for found in _EDGE.finditer(text)), len(text)]
    pieces = [(a, b) for a, b in itertools.pairwise(edges) if text[a:b].strip()]
    return _joined(text, pieces) if hyphens else pieces


def _joined(text: str, pieces: Sequence[Span]) -> list[Span]:
    made: list[Span] = []
    for start, end in pieces:
        hyphen = (
            len(made) > 1 and made[-1][1] == start and made[-2][1] == made[-1][0] and text[slice(*made[-1])] in _HYPHENS
        )
        if hyphen and _lettered(text[start:end]) and _lettered(text[slice(*made[-2])]):
            made[-2:] = [(made[-2][0], end)]
        else:
            made.append((start, end))
    return made


def _lettered(word: str) -> bool:
    return any(letter.isalnum() for letter in word)


def number(text: str, spans: Iterable[Sequence[int]]) -> list[int]:
    """For each token (start, end) the number of the word that it begins in, from 1; 0 before the first word.

    A space at the front of a token is not counted; a token that is space alone belongs to the word before it.
    """
    starts = [start for start, _ in split(text)]
    found = []
    for start, end in spans:
        piece = text[start:end]
        found.append(bisect.bisect_right(starts, start + (len(piece) - len(piece.lstrip()) if piece.strip() else 0)))
    return found


def touched(text: str, spans: Iterable[Sequence[int]]) -> list[Span]:
    """The words of which there are tokens (start, end); words that share a token are one: no part of it can go."""
    tokens = sorted((int(a), int(b)) for a, b in spans if b > a and text[a:b].strip())
    made: list[Span] = []
    reach = 0  # the end of the last token that touches the last word
    at = 0
    for start, end in split(text):
        while at < len(tokens) and tokens[at][1] <= start:
            at += 1
        here = max((b for a, b in _until(tokens, at, end) if b > start), default=0)
        if made and reach > start:
            made[-1] = (made[-1][0], end)
        elif here:
            made.append((start, end))
        reach = max(reach, here)
    return made


def _until(tokens: Sequence[Span], at: int, end: int) -> Iterator[Span]:
    """The tokens from number `at` on that begin before `end`."""
    while at < len(tokens) and tokens[at][0] < end:
        yield tokens[at]
        at += 1
