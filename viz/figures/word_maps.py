"""Where words landed in a generated picture: maps of a part of the drawing, masks, overlaps, and what is true of it.

Everything here is numpy on a stored result of `daam`: no model, nothing is drawn anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from backends.errors import Refused

if TYPE_CHECKING:
    from backends.results import Result

MOST = 64
"""Rows and columns of a map that travels to the browser; larger ones are means over blocks."""
PARTS = {"all": "everything", "steps": "some steps", "layer": "one layer", "head": "one head"}
ARRAYS = {"all": "map", "steps": "by_step", "layer": "by_layer", "head": "by_head"}
RULES = {"own": "each word's own range", "common": "the largest value of all words"}
THRESHOLD = 0.4
"""DAAM's own threshold of a mask, in shares of a word's range."""


class Part(NamedTuple):
    """A part of the drawing: all of it, steps `first` to `last`, or layer or head `first`; counted from 0."""

    kind: str = "all"
    first: int = 0
    last: int = 0


def part_of(given: Mapping[str, Any]) -> Part:
    """The part that a query names; what cannot be read is all of it."""
    kind = given.get("part")
    numbers = [int(v) if re.fullmatch(r"\d{1,4}", v := str(given.get(n, ""))) else 0 for n in ("first", "last")]
    return Part(str(kind) if kind in PARTS else "all", numbers[0], numbers[1])


def kinds(result: Result) -> dict[str, str]:
    """The parts that this result can be looked at by."""
    return {kind: words for kind, words in PARTS.items() if ARRAYS[kind] in result.arrays}


def maps_of(result: Result, part: Part = Part()) -> np.ndarray:  # noqa: B008 - a named tuple does not change
    """The words' maps (word, row, column) of a part: attention, summed over its steps. Raises `Refused`."""
    name = ARRAYS[part.kind]
    if name not in result.arrays:
        raise Refused(f"this drawing kept no maps of {PARTS[part.kind]}; draw it again with them")
    found = result.arrays[name]
    if part.kind == "all":
        return found
    size = found.shape[1]
    if part.first >= size or (part.kind == "steps" and not part.first <= part.last < size):
        raise Refused(f"there is no such part: {result.axes[name][1]} counts from 0 to {size - 1}")
    return found[:, part.first : part.last + 1].sum(1) if part.kind == "steps" else found[:, part.first]


def told(result: Result, part: Part) -> str:
    """The part in words."""
    if part.kind == "steps":
        names = result.labels["step"]
        return f"steps {names[part.first]} to {names[part.last]}"
    if part.kind in ("layer", "head"):
        return f"{part.kind} {result.labels[part.kind][part.first]}"
    low, high = result.facts.get("counted", [1, result.facts.get("steps", 1)])
    return f"all layers, steps {low} to {high}"


def pooled(maps: np.ndarray, most: int = MOST) -> np.ndarray:
    """Maps of at most `most` rows and columns: means over blocks."""
    by = -(-max(maps.shape[1:]) // most)
    if by <= 1:
        return maps
    rows, columns = (np.arange(0, size, by) for size in maps.shape[1:])
    sums = np.add.reduceat(np.add.reduceat(maps, rows, axis=1), columns, axis=2)
    counts = np.outer(*(np.diff([*at, size]) for at, size in zip((rows, columns), maps.shape[1:], strict=True)))
    return (sums / counts).astype(np.float32)


def stages(result: Result) -> list[int]:
    """After which steps a stage of the forming picture was kept."""
    return [int(name) for name in result.labels.get("frame", ()) if name.isdigit()]


def enlarged(maps: np.ndarray, height: int, width: int, smooth: bool = True) -> np.ndarray:
    """Maps at the picture's size: bicubic and nothing below zero, as DAAM does it, or each place as it is."""
    from PIL import Image

    how = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    large = [np.asarray(Image.fromarray(one.astype(np.float32)).resize((width, height), how)) for one in maps]
    return np.clip(np.stack(large), 0, None)


def masks(maps: np.ndarray, threshold: float, rule: str = "own") -> np.ndarray:
    """Where a word's map is above `threshold`, (word, row, column): of its own range, or of all words' largest."""
    low = maps.min((1, 2), keepdims=True) if rule == "own" else np.zeros(1, np.float32)
    high = maps.max((1, 2), keepdims=True) if rule == "own" else np.array(maps.max(initial=0))
    return (maps - low > threshold * (high - low)) & (high > low)


def overlaps(found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of masks (word, …): intersection over union, and the share of the row's mask that lies in the column's.

    Both (word, word); nan where a mask is empty.
    """
    flat = found.reshape(len(found), -1).astype(np.float64)
    both = flat @ flat.T
    size = flat.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return both / (size[:, None] + size[None] - both), both / size[:, None]


# Which words belong together: a rule that needs no parser.


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


CLOSED = _listed(
    "a an the this that these those some any each every no and or but nor so of in on at by to from with without "
    "into onto above below under over beside between behind near next left right front top bottom inside outside "
    "around across through against among along is are was were be been being has have had do does did will would can "
    "could should may might must it its he she they them his her their we our you your i my who which what where when "
    "while as than then very too not up down off out there here"
)
ADJECTIVES = _listed(
    "red green blue yellow purple orange pink brown black white grey gray golden silver dark light bright pale big "
    "large small little tiny huge tall short long wide narrow old new young round square flat sharp soft hard hot cold "
    "warm wet dry wooden metal stone glass happy sad angry beautiful ugly clean dirty empty full open closed heavy "
    "smooth rough quiet loud fluffy furry shiny rusty snowy sunny cloudy wild cute vintage modern ancient"
)
ENDINGS = ("ful", "ous", "ish", "less", "able", "ible", "ive", "esque")


def pairs(words: Sequence[str]) -> list[tuple[int, int, str]]:
    """(dependent, head, relation) of a prompt's words, by a rule rather than a parser.

    Words between function words and punctuation make a run. The last word of a run is its noun; the words before
    it depend on it, `adjective` where they are one by a list or their ending, else `compound`. The nouns of
    neighbouring runs with only function words between them are a `noun–noun` pair. A word in -ing that does not begin
    its run ends it.
    """
    found: list[tuple[int, int, str]] = []
    run: list[int] = []
    last: int | None = None
    for index, word in enumerate([*words, "."]):
        low = word.lower()
        ends = low in CLOSED
        ends = ends or not low[:1].isalnum() or (bool(run) and low.endswith("ing") and len(low) > 5)
        if not ends:
            run.append(index)
            continue
        if run:
            head = run[-1]
            found += [(i, head, _relation(words[i].lower())) for i in run[:-1]]
            found += [(head, last, "noun–noun")] if last is not None else []
            last, run = head, []
        if not low[:1].isalnum():
            last = None
    return sorted(found)


def _relation(word: str) -> str:
    return "adjective" if word in ADJECTIVES or word.endswith(ENDINGS) else "compound"


def known(words: Sequence[str]) -> list[str]:
    """A name for each word that tells repeated ones apart: `square`, `square~2`."""
    seen: dict[str, int] = {}
    names = []
    for word in map(str.lower, words):
        seen[word] = seen.get(word, 0) + 1
        names.append(word if seen[word] == 1 else f"{word}~{seen[word]}")
    return names


def content(words: Sequence[str]) -> list[int]:
    """The words that name or describe something."""
    return [i for i, word in enumerate(words) if word.lower() not in CLOSED and word[:1].isalnum()]


# What is true of a picture of the bundled scenes


def truth(result: Result) -> dict[int, np.ndarray | None]:
    """Of a bundled scene: for each colour or shape word the mask of its thing in the picture that was drawn.

    None where the thing was not drawn. Empty for other models: nobody knows what is where in their pictures.
    """
    if not str(result.request.get("model", "")).partition("?")[0].startswith("bundled/scenes"):
        return {}
    from backends.bundled import scene_detector
    from backends.bundled.data import scenes

    words = [word.lower() for word in result.labels["word"]]
    seen = scene_detector.things(result.arrays["image"])
    found: dict[int, np.ndarray | None] = {}
    for at, (colour, shape) in enumerate(pairwise(words)):
        if colour in scenes.COLOURS and shape in scenes.SHAPES:
            thing = seen.get(colour)
            found[at] = found[at + 1] = None if thing is None else thing.mask
    return found


def agreement(mask: np.ndarray, true: np.ndarray) -> float:
    """Intersection over union of two masks."""
    union = (mask | true).sum()
    return float((mask & true).sum() / union) if union else 0.0


def place(one: np.ndarray) -> str:
    """Where most of a map lies, in words: the third of the picture that holds its centre of mass."""
    total = float(one.sum())
    if total <= 0:
        return "nowhere"
    share = [
        float((one.sum(1 - axis) * (np.arange(one.shape[axis]) + 0.5)).sum() / total / one.shape[axis])
        for axis in (0, 1)
    ]
    rows, columns = ("top", "", "bottom"), ("left", "", "right")
    words = [rows[min(int(share[0] * 3), 2)], columns[min(int(share[1] * 3), 2)]]
    return " ".join(w for w in words if w) or "middle"
