"""Cards and patterns of attention that the tests of this page share, small and seeded."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from backends.results import Result

KEY = "a" * 64
LM = {
    "name": "bundled/names",
    "title": "Names",
    "revision": "1",
    "task": "causal-lm",
    "offers": ["attention", "tokens"],
    "withdrawn": {},
}
CNN = {**LM, "name": "bundled/radiograph", "title": "Radiograph", "offers": ["pixels", "channels"]}
STATISTICS = ("entropy", "distance", "to_first", "previous", "induction")


def attention(
    tokens: tuple[str, ...] = ("[CLS]", "no", "fever", "no", "[SEP]"),
    part: tuple[int, int] | None = None,
    grid: tuple[int, int] | None = None,
    **statistics: Any,
) -> Result:
    """A result of two layers with three heads; `part` keeps one head's pattern, as for long texts."""
    size = len(tokens)
    raw = np.random.default_rng(3).random((2, 3, size, size)).astype(np.float32) ** 3
    pattern = raw / raw.sum(-1, keepdims=True)
    layers, names = ("0", "1"), ("0", "1", "2")
    if part:
        pattern = pattern[part[0] : part[0] + 1, part[1] : part[1] + 1]
    every = ("all_layer", "all_head")
    numbers = {n: np.full((2, 3), 0.1, np.float32) for n in STATISTICS} | statistics
    arrays = {"pattern": pattern, **numbers, "overview": raw, "span": _spans(tokens)}
    axes = {"pattern": ("layer", "head", "query", "key"), **dict.fromkeys(numbers, every)}
    return Result(
        method="attention",
        arrays=arrays,
        axes=axes | {"overview": (*every, "row", "column"), "span": ("token", "edge")},
        labels={
            "layer": (str(part[0]),) if part else layers,
            "head": (str(part[1]),) if part else names,
            "query": tokens,
            "key": tokens,
            "all_layer": layers,
            "all_head": names,
        },
        unit="probability",
        facts={
            "tokens": size,
            "distance_unit": "patch" if grid else "token",
            **({"grid": list(grid), "first_patch": 1} if grid else {}),
        },
        request={"model": "bundled/names"},
    )


def _spans(tokens: tuple[str, ...]) -> np.ndarray:
    return np.array([(0, 0) if t.startswith("[") else (2 * i, 2 * i + 1) for i, t in enumerate(tokens)], np.int32)


def put(values: dict[tuple[int, int], float], fill: float = 0.0) -> np.ndarray:
    """A statistic with these values at (layer, head)."""
    array = np.full((2, 3), fill, np.float32)
    for place, value in values.items():
        array[place] = value
    return array


PARTS = {name: {"layers": 3, "heads": 4, "withdrawn": {}} for name in ("encoder", "decoder", "cross")}


def long(**more: Any) -> Result:
    """A result as a text of nine tokens would have, were it too long."""
    result = attention(tuple(f"t{i}" for i in range(9)), part=(0, 0), **more)
    pattern = result.arrays["pattern"][:, :, -1:]
    labels = {**result.labels, "query": ("t8",)}
    asked = {**LONG_REQUEST, "options": {"part": ""}}
    facts = {**result.facts, "sampled_rows": 4, "query_tokens": 9}
    arrays = {**result.arrays, "pattern": pattern}
    return dataclasses.replace(result, arrays=arrays, labels=labels, facts=facts, request=asked)


LONG_REQUEST = {"model": "bundled/names", "revision": "1", "input": "d" * 64}
WINDOW = {
    "query_tokens": 9, "tokens": 9, "whole": True, "most_rows": 9, "most": 0.7, "most_patches": 0.5, "summed_rows": 9,
    "shares": {"to_special": 0.0, "hidden_share": 0.25, "to_first": 0.25, "itself": 0.5},
    "pairs": [[4, 2, 0.7], [8, 8, 0.6]], "rows": [0, 9], "keys": [0, 9], "steps": [1, 1], "sink": False,
    "special": True, "shape": [9, 9], "values": "",
}  # fmt: skip
