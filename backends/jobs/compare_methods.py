"""All methods' maps of one input beside one another: ranked, how far they agree, and where they lie.

Nothing is run: the maps and receipts are there already.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from backends import catalog
from backends.errors import Refused
from backends.evidence.agreement import compare_maps
from backends.evidence.cells import FINEST
from backends.evidence.localisation import localise
from backends.evidence.ranking import find_deciding_line, rank_methods
from backends.inputs.images import open_image
from backends.jobs.base import Job
from backends.methods.base import Step
from backends.models.base import Model
from backends.requests import CompareMethods
from backends.results import Result
from backends.store import Store


def perform(model: Model, request: CompareMethods, store: Store, step: Step) -> dict[str, Any]:
    """Return what the maps of `request.audits` say together.

    That is `table`, a plain row for each method, best first; `agreement` of the maps (None for a single one);
    `located`, each map's numbers against the region, or `problem`, why there are none.
    """
    found = {name: store.get_document(key) for name, key in request.audits.items()}
    found = {name: audit for name, audit in found.items() if not audit["withdrawn"]}
    maps = _maps(request.audits, found, store)
    step(0.2)
    order = rank_methods(found)
    drawn = {name: coarse(maps[name]) for name in order}
    alike = compare_maps(drawn) if len(drawn) > 1 else None
    step(0.7)
    located, problem = {}, ""
    if request.region and maps:
        try:
            first = next(iter(maps.values()))
            problem = _missing(first, request.region)
            inside = coarse_region(first, request.region)
            located = {name: localise(values, inside) for name, values in drawn.items()}
        except Refused as refused:
            problem = str(refused)
    step(1.0)
    table = [_row(rank, name, found[name], located.get(name, {})) for rank, name in enumerate(order, 1)]
    return {"table": table, "agreement": alike, "located": located, "problem": problem, "model": request.model}


def _maps(keys: Mapping[str, str], found: Mapping[str, Any], store: Store) -> dict[str, Result]:
    """The map of each audit. One that is no longer kept takes its audit with it, so that both are made again."""
    maps, gone = {}, []
    for name, audit in found.items():
        try:
            maps[name] = store.get_result(audit["map"])
        except Refused:
            store.forget(keys[name])
            gone.append(name)
    if gone:
        raise Refused(f"the maps of {', '.join(gone)} are no longer kept here; open the page again to make them anew")
    return maps


def _row(rank: int, name: str, audit: Mapping[str, Any], located: Mapping[str, Any]) -> dict[str, Any]:
    receipt, line = audit["receipt"], find_deciding_line(audit)
    low, high = line["control"] or (None, None)
    return {
        "rank": rank, "method": name, "verdict": receipt["verdict"], "rule": receipt["rule"], "test": line["name"],
        "value": line["value"], "control_low": low, "control_high": high, "sentence": line["sentence"],
        "deletion": audit["curves"]["deletion"], "insertion": audit["curves"]["insertion"],
        "srg": audit["curves"]["srg"], "forwards": receipt["facts"]["forwards"],
        **{number.replace(" ", "_"): about["value"] for number, about in located.items()},
        "map": audit["map"],
    }  # fmt: skip


# Where a map lies, on the grid that tests read it on


def coarse(result: Result) -> np.ndarray:
    """A map as means over a grid of at most `FINEST` cells a side, (row, column), or over the words, (word,)."""
    values = np.asarray(result.arrays["attribution"], float)
    return _means(values) if values.ndim == 2 else values[_words(result)]


def coarse_region(result: Result, region: Mapping[str, Any]) -> np.ndarray:
    """The region on the grid of `coarse`, bool: the cells that lie in it by half, or the words that touch it."""
    if result.arrays["attribution"].ndim == 1:
        return _named_words(result, region)
    inside = _means(_drawn(result.arrays["attribution"].shape, region).astype(float))
    return inside >= 0.5 if (inside >= 0.5).any() else (inside > 0) & (inside == inside.max())


def _means(values: np.ndarray) -> np.ndarray:
    side = -(-max(values.shape) // FINEST)
    starts = [np.arange(0, n, side) for n in values.shape]
    sums = np.add.reduceat(np.add.reduceat(values, starts[0], axis=0), starts[1], axis=1)
    high, wide = (np.diff([*s, n]) for s, n in zip(starts, values.shape, strict=True))
    return sums / (high[:, None] * wide)


def _words(result: Result) -> np.ndarray:
    """Which tokens stand for text."""
    span = result.arrays.get("span")
    if span is None:
        raise Refused("this map does not say where its tokens stand in the text")
    return span[:, 1] > span[:, 0]


def _drawn(shape: tuple[int, ...], region: Mapping[str, Any]) -> np.ndarray:
    """A region of a picture (height, width) bool: a known mask, or a `box` of left, top, right and bottom, 0 to 1."""
    if "box" in region:
        left, top, right, bottom = region["box"]
        row, column = ((np.arange(n) + 0.5) / n for n in shape)
        return ((row >= top) & (row < bottom))[:, None] & ((column >= left) & (column < right))
    truth = _truth(region).get(str(region.get("mask")))
    if not isinstance(truth, str):
        raise Refused(f"nothing called {str(region.get('mask'))[:40]!r} is known of this picture")
    mask = open_image(catalog.shipped(region["model"]) / truth).convert("L").resize((shape[1], shape[0]))
    return np.asarray(mask) > 127


def _truth(region: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is true of the example that a region names."""
    there, index = catalog.card(str(region.get("model"))).get("examples", []), region.get("example")
    known = isinstance(index, int) and 0 <= index < len(there)
    return there[index].get("truth", {}) if known else {}


def whole(word: str) -> str:
    """The pattern of a word where it begins a word of the text: “no” is not in “nausea”, “fev” is in “fever”."""
    return (r"\b" if word[0].isalnum() else "") + re.escape(word)


def _missing(result: Result, region: Mapping[str, Any]) -> str:
    """A sentence on the named words that do not stand in the text, where others do."""
    text, named = result.facts.get("text", ""), [word.strip() for word in region.get("words", ())]
    gone = [word for word in named if word and not re.search(whole(word), text, re.IGNORECASE)]
    return f"not in the text, and left out: {', '.join(gone)[:80]}" if gone else ""


def _named_words(result: Result, region: Mapping[str, Any]) -> np.ndarray:
    spans = [(int(a), int(b)) for a, b in _truth(region).get("spans", [])]
    if "words" in region:
        text = result.facts.get("text", "")
        named = [word.strip() for word in region["words"] if word.strip()]
        spans = [m.span() for word in named for m in re.finditer(whole(word), text, re.IGNORECASE)]
        if not spans:
            raise Refused(f"none of these words stand in the text: {', '.join(named)[:80]!r}")
    if not spans:
        raise Refused("nothing is known of which words of this text decide; name some")
    words = result.arrays["span"][_words(result)]
    return np.array([any(a < end and start < b for a, b in spans) for start, end in words])


ENTRY = Job(CompareMethods, perform)
