"""What an attention head does, in numbers, in a ranking and in one plain sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.results import Result
from viz.figures import head_grid

MEAN = "mean"
"""The name of the mean over the heads of a layer, where a head is asked for."""
MOST = 5


@dataclass(frozen=True)
class Statistic:
    """How one number of every head is shown and ranked; `highest` says which end a class looks for."""

    title: str
    ranked: str
    highest: bool
    images: bool
    help: str


STATISTICS: Mapping[str, Statistic] = {
    "thumbnails": Statistic("maps", "", True, True, "Every head's own map, each cell its largest weight."),
    "induction": Statistic(
        "induction", "Highest induction score", True, False,
        "How much goes to the token that followed an earlier copy of the current one: A B … A looks at B.",
    ),
    "previous": Statistic("previous token", "Most on the previous token", True, False, "The share on the token just before."),
    "to_first": Statistic("first token", "Most on the first token", True, True, "The share on the first token, a common sink."),
    "entropy": Statistic(
        "entropy", "Most focused (lowest entropy)", False, True, "0 looks at one token only; high spreads over many."
    ),
    "distance": Statistic("distance", "Looks farthest", True, True, "How far away what it looks at is, on average."),
}  # fmt: skip
"""What the layer × head grid can be coloured by."""


def offered(result: Result, picture: bool) -> list[str]:
    """The statistics that `result` holds and that mean something for its input."""
    there = [name for name in head_grid.statistics(result) if name in STATISTICS]
    fitting = [name for name in STATISTICS if name in there and (STATISTICS[name].images or not picture)]
    fitting = [name for name in fitting if np.isfinite(result.arrays[name]).any()]
    return (["thumbnails"] if "overview" in result.arrays else []) + fitting


def ranking(values: np.ndarray, highest: bool = True, most: int = MOST) -> list[tuple[int, int, float]]:
    """The heads (layer, head, value) at one end of a statistic (layer, head), the extreme first; NaN has no rank."""
    flat = np.where(np.isfinite(values), values, np.nan).ravel()
    order = np.argsort(-flat if highest else flat, kind="stable")
    kept = [i for i in order if np.isfinite(flat[i])][:most]
    return [(int(i) // values.shape[1], int(i) % values.shape[1], float(flat[i])) for i in kept]


def striking(result: Result, picture: bool) -> tuple[int, int]:
    """The head to show first: the strongest induction or previous-token head, for images the most focused of the last layer."""
    layers, heads = result.arrays["entropy"].shape
    if picture:
        last = np.nan_to_num(result.arrays["entropy"][-1], nan=np.inf)
        return layers - 1, int(last.argmin())
    best = [(value, layer, head) for name in ("induction", "previous") for layer, head, value in
            ranking(result.arrays[name], most=1) if name in result.arrays]  # fmt: skip
    value, layer, head = max(best, default=(0.0, 0, 0), key=lambda found: found[0])
    return (layer, head) if value else (0, 0)


def numbers(result: Result, layer: int, head: int | None) -> dict[str, float]:
    """Every statistic of one head, or their mean over the layer's heads (`head` None); those that are not finite are left out."""
    found = {}
    for name in head_grid.statistics(result):
        row = result.arrays[name][layer]
        value = float(row[head]) if head is not None else float(np.mean(row))
        if np.isfinite(value):
            found[name] = value
    return found


def shares(pattern: np.ndarray, special: Sequence[int] = ()) -> dict[str, float]:
    """What a pattern (query, key) says beyond the statistics: the weight on the token itself and on special tokens but the first."""
    found = {}
    if pattern.shape[0] == pattern.shape[1]:
        found["itself"] = float(np.trace(pattern) / len(pattern))
    later = [i for i in special if 0 < i < pattern.shape[1]]
    if later:
        found["special"] = float(pattern[:, later].sum(1).mean())
    return found


def sentence(name: str, found: Mapping[str, float], first: str = "the first token", picture: bool = False) -> str:
    """One plain sentence on what a head looks at, from its numbers; `first` says what the first token is."""
    noun = "patch" if picture else "token"
    kinds = {
        "previous": "the previous token",
        "to_first": first,
        "induction": "the token that followed an earlier copy of the current one",
        "itself": f"the same {noun} it is at",
        "special": "the special tokens after the first",
    }
    if picture:
        kinds = {k: v for k, v in kinds.items() if k not in ("previous", "induction", "special")}
    ranked = sorted(((found[k], k) for k in kinds if k in found), reverse=True)
    told = [(value, k) for value, k in ranked if value >= 0.25][:2]
    if told and told[0][1] == "previous" and "itself" in found:  # a word of one token is both
        told = [t for t in told if t[1] != "itself" or t[0] > 0.3]
    if not told:
        return f"{name} spreads its attention{_spread(found, noun)}."
    value, kind = told[0]
    degree = "mostly" if value >= 0.5 else "partly"
    rest = "".join(f", and at {kinds[k]} ({v:.2f})" for v, k in told[1:])
    tail = " That makes it an induction head." if kind == "induction" and value >= 0.5 else ""
    where = _queries(kind)
    return f"{name} looks {degree} at {kinds[kind]} ({value:.2f} of its attention{where}){rest}.{tail}"


def _queries(kind: str) -> str:
    return " where there is one" if kind == "induction" else ""


def _spread(found: Mapping[str, float], noun: str) -> str:
    parts = []
    if "entropy" in found:
        many = float(np.exp(found["entropy"]))
        parts.append(f" as widely as over {many:.1f} {noun}s evenly (entropy {found['entropy']:.2f} nat)")
    if "distance" in found:
        parts.append(f"{found['distance']:.1f} {noun}s away on average")
    return ", ".join(parts)


def plain(values: np.ndarray) -> list[Any]:
    """A float array as nested lists for JSON, with None for what is not finite."""
    rounded = np.where(np.isfinite(values), values, np.nan).astype(float).round(5)
    return [plain(row) for row in rounded] if rounded.ndim > 1 else [None if v != v else v for v in rounded.tolist()]
