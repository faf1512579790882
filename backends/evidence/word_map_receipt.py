"""Does a word of the prompt make what is under its map? The picture drawn again without the word, from the same noise.

The change of the picture where the map is brightest is compared with the change of as large a part elsewhere, and the
whole map with rotated, flipped and shifted copies of itself, as other maps' are. And since any change of a prompt
changes the picture a little, it is drawn once more without another word.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import Refused
from backends.evidence.cells import select_brightest
from backends.evidence.controls import control_range, list_copy_orders, p_value
from backends.evidence.verdict import CANNOT, FAILS, HOLDS, Line, Receipt
from backends.models.base import Model
from backends.results import Result

if TYPE_CHECKING:
    from backends.methods.base import Step

SHARE = 0.1
"""How much of the picture counts as the map's brightest part."""
OVERLAP = 0.25
"""The share of the part that may lie on it and still count as elsewhere."""
SEEN = 8.0
"""Grey levels, of 255, below which a change is not seen."""
STRICT, LOOSE = 0.05, 0.2
"""Up to STRICT of the places elsewhere may change as much; above LOOSE the map fails."""
PLAIN = {"by_step": False, "by_layer": False, "by_head": False, "frames": 0, "pictures": 1, "mode": "fast"}
"""Options that change what is kept of a drawing, and not the picture."""


def make(
    model: Model, result: Result, raw: Any = None, word: str | int | None = None, step: Step | None = None
) -> Receipt:
    """The receipt of one word's map; `word` is its text or number, by default the one with the most pointed map.

    Costs two drawings. Raises `Refused`.
    """
    start, step = time.perf_counter(), step or (lambda fraction: None)
    index = choose_word(result, word)
    words = result.labels["word"]
    other = choose_other_word(result, index)
    given = {**(raw or {}), "text": result.facts["text"]}
    base = result.arrays["image"].astype(float)

    def change(of: int, done: float) -> np.ndarray:
        """How the picture changes without word `of`, (row, column), in grey levels."""
        picture = _draw_without(model, result, given, of, lambda fraction: step(done + fraction / 2))
        return np.abs(picture.astype(float) - base).mean(-1)

    changes = change(index, 0.0), change(other, 0.5)
    lines = make_lines(result.arrays["heat"][index], changes[0], changes[1], words[index], words[other])
    verdict, rule = decide(lines)
    facts = {
        "method": result.method, "target": words[index], "word": index, "replacement": "removed", "samples": 2,
        "effort": 1, "seed": int(result.facts["seed"]), "drawings": 2,
        "forwards": 2 * int(result.facts["forwards"]), "seconds": time.perf_counter() - start,
    }  # fmt: skip
    step(1.0)
    return Receipt(tuple(lines), verdict, rule, facts)


def choose_word(result: Result, word: str | int | None) -> int:
    """The number of the word that is meant. Raises `Refused`, naming the words that there are."""
    words = result.labels["word"]
    if len(words) < 2:
        raise Refused("the prompt has a single word: nothing would be left to draw without it")
    if word is None:
        heat = result.arrays["heat"].reshape(len(words), -1)
        return int((heat.max(1) / heat.mean(1).clip(min=1e-12)).argmax())
    if type(word) is int and 0 <= word < len(words):
        return word
    if isinstance(word, str) and word in words:
        return words.index(word)
    raise Refused(f"the prompt has no word {str(word)[:40]!r}; it has: {', '.join(words)}")


def choose_other_word(result: Result, index: int) -> int:
    """Of the words with a pointed map, the one whose bright part overlaps least with that of word `index`."""
    heat = result.arrays["heat"].reshape(len(result.labels["word"]), -1)
    bright = np.stack([_select_bright(row) for row in heat])
    pointed = heat.max(1) / heat.mean(1).clip(min=1e-12)
    among = [i for i in np.argsort(-pointed) if i != index and heat[i].max() > 0.5 * heat[index].max()]
    among = among or [i for i in range(len(heat)) if i != index]
    return int(min(among, key=lambda i: (bright[i] & bright[index]).sum()))


def _select_bright(heat: np.ndarray) -> np.ndarray:
    """The map's brightest part, (place,) bool."""
    return select_brightest(heat.ravel() - heat.min(), SHARE)


def remove_span(text: str, span: Any) -> str:
    """The prompt without the characters of a span."""
    start, end = (int(edge) for edge in span)
    return re.sub(r"\s+([,.])", r"\1", " ".join((text[:start] + " " + text[end:]).split())).strip(" ,")


def _draw_without(model: Model, result: Result, given: dict[str, Any], word: int, step: Step) -> np.ndarray:
    """The picture (height, width, 3) drawn without a word, all else the same."""
    from backends import running

    text = remove_span(given["text"], result.arrays["span"][word])
    if not text:
        raise Refused("nothing of the prompt is left without this word")
    options = {**result.request.get("options", {}), **PLAIN}
    return running.run(model, result.method, {**given, "text": text}, step=step, **options).arrays["image"]


def make_lines(heat: np.ndarray, change: np.ndarray, other: np.ndarray, word: str, another: str) -> list[Line]:
    """The lines of a map `heat` (row, column), given how the picture changes without the word, and without another."""
    part, moved = _select_bright(heat), change.ravel()
    order = list_copy_orders(heat.shape, 0)
    copies = part[order]
    copies = copies[(copies & part).sum(1) <= OVERLAP * part.sum()]
    here = float(moved[part].mean())
    elsewhere = copies @ moved / part.sum()
    beyond = float((elsewhere >= here - 1e-9).mean()) if len(copies) else 1.0
    if float(moved.max()) < SEEN:
        first = CANNOT
        said = f"Drawn again without “{word}”, the picture is the same: the word decided nothing that can be seen."
    else:
        first = HOLDS if beyond <= STRICT and here >= SEEN else FAILS if beyond > LOOSE or here < SEEN else CANNOT
        said = (
            f"Drawn again without “{word}”, the picture changes by {here:.0f} of 255 grey levels where its map is "
            f"brightest; other parts as large change by {np.median(elsewhere):.0f}."
        )
    about = {"p": beyond, "copies": len(copies), "most": float(moved.max())}
    made = [Line("without it", here, control_range(elsewhere), first, said, about)]
    made.append(_compare_whole(heat, moved, order, first == CANNOT))
    there = float(other.ravel()[part].mean())
    kind = CANNOT if here < SEEN else HOLDS if there <= here / 2 else FAILS if there >= here else CANNOT
    said = f"Without “{another}” in its place, the same part changes by {there:.0f} grey levels."
    return [*made, Line("another word", there, (0.0, here / 2), kind, said, {"word": another})]


def _compare_whole(heat: np.ndarray, moved: np.ndarray, order: np.ndarray, open_: bool) -> Line:
    maps = np.concatenate([heat.ravel()[None], heat.ravel()[order]])
    centred = maps - maps.mean(1, keepdims=True)
    left = moved - moved.mean()
    norm = np.linalg.norm(centred, axis=1) * np.linalg.norm(left)
    found = np.divide(centred @ left, norm, out=np.zeros(len(maps)), where=norm > 1e-9)
    p = p_value(float(found[0]), found[1:])
    verdict = CANNOT if open_ else HOLDS if p <= STRICT else FAILS if p > LOOSE else CANNOT
    said = (
        f"The whole map goes with the change of the picture better than {round((1 - p) * len(found))} of "
        f"{len(order)} rotated, flipped and shifted copies of itself."
    )
    return Line("whole map", float(found[0]), control_range(found[1:]), verdict, said, {"p": p})


def decide(lines: list[Line]) -> tuple[str, str]:
    """“without it” decides; it must not be that the map as a whole, or another word, says the opposite."""
    first, whole, other = (line.verdict for line in lines)
    if first == FAILS:
        return FAILS, "Fails because of “without it”: where the map is bright, the word changes no more than elsewhere."
    if first == CANNOT:
        return CANNOT, "Cannot tell: “without it” is too close to call, or the word changes nothing."
    if whole == FAILS:
        return CANNOT, "Cannot tell: “without it” holds, but “whole map” fails: the rest of the map says nothing."
    if other == FAILS:
        return CANNOT, "Cannot tell: “without it” holds, but “another word” changes the same place as much."
    return HOLDS, "Holds because of “without it”: what the word changes lies where its map is bright."
