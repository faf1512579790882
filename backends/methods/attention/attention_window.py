"""A window on one head's attention, computed when it is looked at: a tile, a row, a column, or the whole map in small.

Rows come from the module's own formula on queries and keys that were kept, a bounded number of scores at a time. Cells
are the largest weight of their block, never its mean: a mean would hide the few large weights that matter.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import Refused
from backends.hooks.attention_call import StoredAttention, iterate_rows
from backends.methods import token_rows
from backends.methods.attention.attention import sample_rows
from backends.methods.attention.qk_cache import cache
from backends.methods.base import Step, no_step
from backends.results import encode_array

if TYPE_CHECKING:
    from torch import Tensor

    from backends.models.base import Batch, Model

MEAN = "mean"
MOST_SCORES = 2**29
"""Scores that one window may take to compute; see benchmarks/RESULTS.md for what they cost."""
MOST_CELLS = 2**20
SIDE = 512
"""Cells on a side of the whole map."""
PAIRS = 12
PIECE = 2**23
"""Numbers of one piece of the pattern in memory."""


def read_window(model: Model, batch: Batch, options: Mapping[str, Any], step: Step = no_step) -> dict[str, Any]:
    """Weights of one head, or the mean over a layer's, as a document: `values` (base64 of float32), `shape`.

    `options`: `part`, `layer`, `head` (a number or "mean"), `rows` and `keys` ([first, end], None: all), `size` (cells
    down and across at most), `sink` and `special` (whether the first token as a key, and special tokens, take part).
    With `rows` None the document also sums the head up (`pairs`, `most`, and `shares` of the weight); where the whole
    map would cost too much that is of a sample of the rows, `whole` is False, and the window is of the last rows.
    Raises `Refused` on what is not there or costs too much.
    """
    import torch

    asked = _WindowOptions.of(model, batch, options)
    with torch.no_grad():
        call = cache.read_call(model, batch, asked.part, asked.layer)
        narrow, at = (call, None) if asked.head == MEAN else call.select_head(int(asked.head))
        heads, length, width = narrow.shape
        most = MOST_SCORES // (heads * width)
        rows = asked.rows or ((0, length) if length <= most else (length - min(most, 1024), length))
        if rows[1] - rows[0] > most:
            raise Refused(
                f"a window of {rows[1] - rows[0]} rows takes more than {MOST_SCORES:.1e} scores to compute: "
                f"ask for at most {most} rows of this head"
            )
        seen = _RowStatistics(asked, length == width) if asked.rows is None else None
        whole = rows == (0, length)
        if seen and not whole:
            for some, values in _read_rows(narrow, at, sample_rows(length)):
                seen(some, values)
        cells, steps = _pool(narrow, at, rows, asked, seen if whole else None, step)
    return {
        **encode_array(cells),
        "rows": list(rows),
        "keys": list(asked.keys),
        "steps": list(steps),
        "whole": whole,
        "most_rows": int(most),
        "query_tokens": length,
        "tokens": width,
        "sink": asked.sink,
        "special": asked.special,
    } | (seen.facts() if seen else {})


@dataclass(frozen=True)
class _WindowOptions:
    """The options, checked against what the network has; `specials` are the places of special tokens."""

    part: str
    layer: int
    head: int | str
    rows: tuple[int, int] | None
    keys: tuple[int, int]
    size: tuple[int, int]
    sink: bool
    special: bool
    specials: tuple[tuple[int, ...], tuple[int, ...]]

    @classmethod
    def of(cls, model: Model, batch: Batch, options: Mapping[str, Any]) -> _WindowOptions:
        part = str(options.get("part") or "")
        sites: Any = model.stack(part)
        if "attention" not in sites.offers:
            raise Refused(f"{part or 'attention'} of {model.name}: {sites.withdrawn.get('attention', 'not found')}")
        layer, head = options.get("layer"), options.get("head")
        if type(layer) is not int or layer not in sites.layers:
            raise Refused(
                f"there is no layer {str(layer)[:20]}; the layers with attention go from 0 to {sites.layers[-1]}"
            )
        if head != MEAN and (type(head) is not int or not 0 <= head < sites.heads):
            raise Refused(f"there is no head {str(head)[:20]}; the heads go from 0 to {sites.heads - 1}, or {MEAN!r}")
        queries, keys = (len(names) for names in token_rows.list_tokens(model, batch, part))
        rows = None if options.get("rows") is None else _check_range("rows", options["rows"], queries)
        columns = _check_range("keys", options.get("keys") or [0, keys], keys)
        size = tuple(options.get("size") or (SIDE, SIDE))
        if len(size) != 2 or not all(type(n) is int and n > 0 for n in size) or size[0] * size[1] > MOST_CELLS:
            raise Refused(
                f"size is two numbers, cells down and across, {MOST_CELLS} together at most; not {str(size)[:40]}"
            )
        specials = _find_specials(model, batch, part)
        sides = (specials if queries == keys else (), specials)
        flags = (bool(options.get("sink", True)), bool(options.get("special", True)))
        return cls(part, layer, head, rows, columns, size, *flags, sides)

    @property
    def hidden_keys(self) -> list[int]:
        """Keys that take no part."""
        return sorted({*(() if self.sink else (0,)), *(() if self.special else self.specials[1])})

    @property
    def hidden_rows(self) -> list[int]:
        """Queries that take no part."""
        return [] if self.special else list(self.specials[0])


def _check_range(noun: str, asked: Any, there: int) -> tuple[int, int]:
    """[first, end] as two numbers that are there. Raises `Refused`."""
    numbers = asked if isinstance(asked, (list, tuple)) else ()
    if len(numbers) != 2 or not all(type(n) is int for n in numbers) or not 0 <= numbers[0] < numbers[1] <= there:
        raise Refused(f"{noun} are [first, end] from 0 to {there}, not {str(asked)[:40]}")
    return int(numbers[0]), int(numbers[1])


def _find_specials(model: Model, batch: Batch, part: str) -> tuple[int, ...]:
    """The places of keys that cover no text, or stand before the first patch."""
    context = token_rows.make_context(model, batch, part)
    if context["facts"].get("grid"):
        return tuple(range(int(context["facts"].get("first_patch", 0))))
    spans = context["arrays"].get("span")
    return () if spans is None else tuple(int(i) for i in np.flatnonzero(spans[:, 0] == spans[:, 1]))


def _read_rows(call: StoredAttention, at: int | None, rows: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """(rows, weights (row, key)) of one head, or of the mean over them, in pieces."""
    for some, part in iterate_rows(call, rows, PIECE):
        yield some, (part[0].float().mean(0) if at is None else part[0, at].float())


def _pool(
    call: StoredAttention,
    at: int | None,
    rows: tuple[int, int],
    asked: _WindowOptions,
    seen: _RowStatistics | None,
    step: Step,
) -> tuple[np.ndarray, tuple[int, int]]:
    """The window's cells, each the largest weight of its block, and how many rows and keys a block has."""
    import torch

    (a, b), (c, d) = rows, asked.keys
    down, across = math.ceil((b - a) / asked.size[0]), math.ceil((d - c) / asked.size[1])
    wide = math.ceil((d - c) / across)
    out = torch.zeros(math.ceil((b - a) / down), wide)
    for some, values in _read_rows(call, at, range(a, b)):
        if seen:
            seen(some, values)
        shown = torch.nn.functional.pad(_mask_hidden(some, values, asked)[:, c:d], (0, wide * across - (d - c)))
        cells = shown.reshape(len(some), wide, across).amax(-1).cpu()
        lines = ((some.cpu() - a) // down)[:, None].expand_as(cells)
        out.scatter_reduce_(0, lines, cells, "amax")
        step((int(some[-1]) + 1 - a) / (b - a))
    return out.numpy(), (down, across)


def _mask_hidden(rows: Tensor, values: Tensor, asked: _WindowOptions) -> Tensor:
    """The weights with those of hidden tokens at zero."""
    import torch

    if not asked.hidden_keys and not asked.hidden_rows:
        return values
    values = values.clone()
    values[:, asked.hidden_keys] = 0
    gone = torch.isin(rows, torch.tensor(asked.hidden_rows, dtype=rows.dtype, device=rows.device))
    values[gone] = 0
    return values


class _RowStatistics:
    """Sums up the rows that go by: the strongest pairs, and where the weight goes."""

    def __init__(self, asked: _WindowOptions, square: bool) -> None:
        self.asked, self.square = asked, square
        self.count = self.itself_count = 0
        self.sums = {"itself": 0.0, "to_special": 0.0, "hidden_share": 0.0, "to_first": 0.0}
        self.pairs: list[list[Any]] = []
        self.most_patches = 0.0

    def __call__(self, rows: Tensor, values: Tensor) -> None:
        import torch

        shown, width = _mask_hidden(rows, values, self.asked), values.shape[1]
        self.count += len(rows)
        later = [i for i in self.asked.specials[1] if 0 < i < width]
        self.sums["to_special"] += float(values[:, later].sum())
        self.sums["hidden_share"] += float(values[:, self.asked.hidden_keys].sum())
        self.sums["to_first"] += float(values[:, 0].sum())
        first = len(self.asked.specials[0])  # of a picture, the tokens before its patches
        patches = values[rows >= first, first:]
        self.most_patches = max(self.most_patches, float(patches.max()) if patches.numel() else 0.0)
        if self.square:
            own = values[torch.arange(len(rows), device=rows.device), rows]
            self.sums["itself"] += float(own[rows > 0].sum())
            self.itself_count += int((rows > 0).sum())
        best = shown.flatten().topk(min(PAIRS, shown.numel()))
        found = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        self.pairs += [[int(rows[i // width]), i % width, weight] for i, weight in found if weight > 0]
        self.pairs = sorted(self.pairs, key=lambda pair: -pair[2])[:PAIRS]

    def facts(self) -> dict[str, Any]:
        """Mean shares of a row's weight, the strongest pairs [query, key, weight], and of how many rows."""
        count = max(self.count, 1)
        shares = {name: total / count for name, total in self.sums.items() if name != "itself"}
        if self.square and self.itself_count:
            shares["itself"] = self.sums["itself"] / self.itself_count
        return {
            "shares": shares,
            "pairs": self.pairs,
            "most": self.pairs[0][2] if self.pairs else 0.0,
            "most_patches": self.most_patches,
            "summed_rows": self.count,
        }
