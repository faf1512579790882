"""Which tokens of a text encoder each word of a prompt is, by character span, so that repeated words stay apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends import words
from backends.errors import Refused


@dataclass(frozen=True)
class Words:
    """The words of a prompt that the network hears, with the columns of attention that are theirs.

    `spans` are their characters; `columns` are positions in the sequence of text tokens, of several text encoders
    one after the other where there are several; `cut` are words that no encoder has room for, whole or in part.
    `first` and `last` are the columns of the start and end tokens, where there are any.
    """

    words: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    columns: tuple[tuple[int, ...], ...]
    cut: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    token_spans: tuple[tuple[int, int], ...] = ()

    @property
    def every(self) -> list[int]:
        """All columns that belong to a word, in order, each once."""
        return sorted({column for columns in self.columns for column in columns})

    def matrix(self) -> np.ndarray:
        """(word, column of `every`): the mean over a word's columns, as a matrix."""
        place = {column: index for index, column in enumerate(self.every)}
        found = np.zeros((len(self.words), len(place)), np.float32)
        for row, columns in enumerate(self.columns):
            found[row, [place[c] for c in columns]] = 1 / len(columns)
        return found


def words_of(text: str, encoders: Sequence[tuple[Any, int]]) -> Words:
    """The words of `text`; `encoders` are tokenizers with the number of tokens that the network hears of each.

    Raises `Refused` where a tokenizer does not say which characters its tokens are.
    """
    spans = words.split(text, hyphens=True)
    columns: list[list[int]] = [[] for _ in spans]
    whole = [False] * len(spans)
    tokens: list[tuple[str, tuple[int, int]]] = []
    before = 0
    for tokenizer, length in encoders:
        offsets, names = _tokens(tokenizer, text)
        kept = _kept(tokenizer, offsets, length)
        tokens = tokens or [(names[i], offsets[i]) for i in kept]
        for row, (start, end) in enumerate(spans):
            own = [i for i, (a, b) in enumerate(offsets) if a < end and b > start and b > a]
            columns[row] += [before + kept.index(i) for i in own if i in kept]
            whole[row] |= bool(own) and all(i in kept for i in own)
        before += length
    heard = [row for row, found in enumerate(columns) if found]
    return Words(
        tuple(text[a:b] for a, b in (spans[row] for row in heard)),
        tuple(spans[row] for row in heard),
        tuple(tuple(columns[row]) for row in heard),
        tuple(text[a:b] for (a, b), there in zip(spans, whole, strict=True) if not there),
        tuple(name for name, _ in tokens),
        tuple(span for _, span in tokens),
    )


def _tokens(tokenizer: Any, text: str) -> tuple[list[tuple[int, int]], list[str]]:
    """Character offsets and names of all tokens, special ones included."""
    if not getattr(tokenizer, "is_fast", False):
        raise Refused(
            f"{type(tokenizer).__name__} does not say which characters its tokens are; "
            "save the pipeline with a tokenizer.json"
        )
    coded = tokenizer(text, return_offsets_mapping=True, truncation=False, verbose=False)
    offsets = [(int(a), int(b)) for a, b in coded["offset_mapping"]]
    return offsets, tokenizer.convert_ids_to_tokens(coded["input_ids"])


def _kept(tokenizer: Any, offsets: Sequence[tuple[int, int]], length: int) -> list[int]:
    """Which tokens fit: truncation keeps the end token and drops what stands before it."""
    count = len(offsets)
    if count <= length:
        return list(range(count))
    last = 1 if offsets[-1][0] == offsets[-1][1] else 0
    return [*range(length - last), *range(count - last, count)]
