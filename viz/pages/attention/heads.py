"""What an attention head does: its numbers, a ranking of heads, one plain sentence, and its map alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.results import Result
from viz.figures.scale import limits

MEAN = "mean"
"""Stands for the mean over a layer's heads where a head is asked for."""
EVERY = ("all_layer", "all_head")
MOST = 5
WORTH = 0.25
"""The share of a head's attention from which its sentence mentions what it goes to."""


@dataclass(frozen=True)
class Statistic:
    """How one number of every head is shown and ranked: `highest` says which end a class looks for."""

    title: str
    ranked: str
    unit: str
    help: str
    highest: bool = True
    images: bool = False


MAPS = "thumbnails"
STATISTICS: Mapping[str, Statistic] = {
    "induction": Statistic(
        "Induction", "Highest induction score", "probability",
        "Attention to the token that followed an earlier copy of the current one: in “A B … A” the last A looks at B.",
    ),
    "previous": Statistic(
        "Previous token", "Most on the previous token", "probability", "Attention to the token just before."
    ),
    "to_first": Statistic(
        "First token", "Most on the first token", "probability",
        "Attention to the first token, where many heads rest when they have nothing to do.", images=True,
    ),
    "entropy": Statistic(
        "Entropy", "Most focused (lowest entropy)", "nat",
        "0: it looks at one place only; the higher, the wider it spreads.", highest=False, images=True,
    ),
    "distance": Statistic(
        "Distance", "Looks farthest", "token", "How far away is what it looks at, on average.", images=True
    ),
}  # fmt: skip
"""What the layer × head grid can be coloured by, besides the maps themselves."""


def offered(result: Result) -> list[str]:
    """The statistics that `result` holds and that mean something for its input."""
    found = [name for name in STATISTICS if tuple(result.axes.get(name, ())) == EVERY]
    if pictured(result):
        found = [name for name in found if STATISTICS[name].images]
    return [n for n in found if n != "induction" or repeats(result) or np.any(result.arrays[n])]


def pictured(result: Result) -> bool:
    """Whether the tokens are patches of an image."""
    return bool(result.facts.get("grid"))


def repeats(result: Result) -> bool:
    """Whether any token occurs twice, without which there is nothing to induce from."""
    keys = result.labels.get("key", ())
    return len(set(keys)) < len(keys)


def unit_of(result: Result, name: str) -> str:
    """The unit of a statistic; distance has that of the result, tokens or patches."""
    if name != "distance":
        return STATISTICS[name].unit
    return plural(str(result.facts.get("distance_unit", "token")))


def plural(noun: str) -> str:
    """Tokens, patches."""
    return f"{noun}es" if noun.endswith("ch") else f"{noun}s"


def ranking(values: np.ndarray, highest: bool = True, most: int = MOST) -> list[tuple[int, int, float]]:
    """The heads (layer, head, value) at one end of a statistic (layer, head), the extreme first; NaN has no rank."""
    flat = np.asarray(values, np.float64).ravel()
    order = np.argsort(-flat if highest else flat, kind="stable")
    kept = [int(i) for i in order if np.isfinite(flat[i])][:most]
    return [(i // values.shape[1], i % values.shape[1], float(flat[i])) for i in kept]


def striking(result: Result) -> tuple[int, int]:
    """The head to show first: the strongest at induction or the previous token; in images the last layer's sharpest."""
    there = offered(result)
    if pictured(result):
        values = result.arrays["entropy"]
        return len(values) - 1, ranking(values[-1:], highest=False, most=1)[0][1]
    best = [found for n in ("induction", "previous") if n in there for found in ranking(result.arrays[n], most=1)]
    layer, head, _ = max(best, key=lambda found: found[2], default=(0, 0, 0.0))
    return layer, head


def grid(result: Result) -> dict[str, Any]:
    """The layer × head grid as the browser draws it: the names, and each statistic with its scale and unit."""
    there = offered(result)
    return {
        "layers": list(result.labels["all_layer"]),
        "heads": list(result.labels["all_head"]),
        "statistics": {name: _scaled(result, name) for name in there},
    }


def _scaled(result: Result, name: str) -> dict[str, Any]:
    values = np.asarray(result.arrays[name], np.float32)
    low, high = limits(values, signed=False)
    about, unit = STATISTICS[name], unit_of(result, name)
    words = f"{about.title.lower()} ({unit}), one scale for all heads"
    scale = {"low": low, "high": high, "least": f"{low:.2g}", "most": f"{high:.2g}", "words": words}
    return {"title": about.title.lower(), "unit": unit, "values": plain(values), **scale}


def plain(values: np.ndarray) -> list[Any]:
    """A float array as nested lists for JSON; None for what is not finite."""
    if values.ndim > 1:
        return [plain(row) for row in values]
    return [round(float(v), 5) if np.isfinite(v) else None for v in values]


def numbers(result: Result, layer: int, head: int | str) -> dict[str, float]:
    """Every statistic of one head, or its mean over the layer's heads."""
    rows = {name: result.arrays[name][layer] for name in offered(result)}
    return {name: float(np.mean(row) if head == MEAN else row[int(head)]) for name, row in rows.items()}


def alone(result: Result, layer: int, head: int | str, names: tuple[str, str]) -> Result:
    """One head's pattern, or a layer's mean, as a result of its own; `names` are the layer's and the head's.

    `layer` and `head` are places in `pattern`.
    """
    pattern = result.arrays["pattern"][layer]
    one = pattern.mean(0, dtype=np.float32) if head == MEAN else pattern[int(head)]
    labels = {"layer": (names[0],), "head": (names[1],), "query": result.labels["query"], "key": result.labels["key"]}
    return Result(
        method=result.method,
        arrays={"pattern": np.asarray(one, np.float32)[None, None]},
        axes={"pattern": ("layer", "head", "query", "key")},
        labels=labels,
        unit=result.unit,
        request=result.request,
    )


def special(result: Result) -> list[int]:
    """The places of special tokens: those that cover no text, or stand before the first patch."""
    if pictured(result):
        return list(range(int(result.facts.get("first_patch", 0))))
    spans = result.arrays.get("span")
    return [] if spans is None else [int(i) for i in np.flatnonzero(spans[:, 0] == spans[:, 1])]


def without(result: Result, gone: Sequence[int]) -> Result:
    """A pattern without the tokens in `gone`, as query and as key; nothing is renormalised."""
    pattern = result.arrays["pattern"]
    kept = [i for i in range(pattern.shape[3]) if i not in set(gone)]
    if len(kept) == pattern.shape[3] or not kept or pattern.shape[2] != pattern.shape[3]:
        return result
    labels = {**result.labels, **{a: tuple(result.labels[a][i] for i in kept) for a in ("query", "key")}}
    return Result(
        result.method,
        {"pattern": pattern[:, :, kept][..., kept]},
        result.axes,
        labels,
        result.unit,
        request=result.request,
    )


def shares(pattern: np.ndarray, specials: Sequence[int] = ()) -> dict[str, float]:
    """What a pattern (query, key) says beyond the statistics: the weight on the token itself and on later specials."""
    square = pattern.shape[0] == pattern.shape[1] > 1
    found = {"itself": float(np.trace(pattern[1:, 1:]) / (len(pattern) - 1))} if square else {}
    later = [i for i in specials if 0 < i < pattern.shape[1]]
    return found | ({"special": float(pattern[:, later].sum(1).mean())} if later else {})


def sentence(name: str, found: Mapping[str, float], first: str, noun: str = "token") -> str:
    """One plain sentence on what the head called `name` looks at, from its numbers; `first` names the first token."""
    kinds = {
        "previous": f"the previous {noun}",
        "to_first": first,
        "induction": f"the {noun} that followed an earlier copy of the current one",
        "itself": f"the very {noun} it is at",
        "special": "special tokens that end or part the text",
    }
    ranked = sorted(((found[kind], kind) for kind in kinds if found.get(kind, 0) >= WORTH), reverse=True)[:2]
    if not ranked:
        return f"{name} {_spread(found, noun)}."
    value, kind = ranked[0]
    degree = "mostly" if value >= 0.5 else "partly"
    where = " where there is one" if kind == "induction" else ""
    also = "".join(f", and at {kinds[k]} ({v:.2f})" for v, k in ranked[1:])
    lead = f"{name} acts as an induction head here: it" if kind == "induction" and value >= 0.5 else name
    return f"{lead} looks {degree} at {kinds[kind]} ({value:.2f} of its attention{where}){also}."


def _spread(found: Mapping[str, float], noun: str) -> str:
    """What is said of a head that goes to no place with a name."""
    wide = float(np.exp(found.get("entropy", 0.0)))
    away = f", {found['distance']:.1f} {plural(noun)} away on average" if "distance" in found else ""
    if wide < 3:
        return f"is focused: each {noun} looks at about {max(wide, 1):.1f} {plural(noun)}{away}"
    return f"spreads its attention about as widely as evenly over {wide:.1f} {plural(noun)}{away}"


def pairs(result: Result, hide_first: bool, most: int = 12) -> list[tuple[int, int, float]]:
    """The strongest (query, key, weight) of a single head's result, the largest first."""
    pattern = np.array(result.arrays["pattern"][0, 0])
    if hide_first and pattern.shape[1] > 1:
        pattern[:, 0] = 0
    flat = pattern.ravel()
    best = np.argpartition(-flat, min(most, flat.size) - 1)[:most]
    best = best[np.argsort(-flat[best], kind="stable")]
    return [(int(i) // pattern.shape[1], int(i) % pattern.shape[1], float(flat[i])) for i in best if flat[i] > 0]
