"""What the word maps of `bundled/scenes` and its ungrounded twin are worth: one JSON line a study and model.

`python -m benchmarks.words [n] [models…]`: four studies after Tang et al. 2022 on `n` generated pictures (200 by
default), the truth being the shapes found in the picture itself.
`nouns`: maps of nouns as segmentation, mIoU by threshold, and whether the map's peak is on the thing, beside a disc in
the middle of the picture and smooth random maps; over all nouns, what was not drawn being a miss, and over the drawn.
`overlap`: IoU, |D∩H|/|D| and |D∩H|/|H| of head and dependent by relation, on maps over 0.4 of their range.
`entanglement`: how the two nouns' maps overlap where both are the same word, and where they are not.
`spread`: how much of a colour's map lies on its own thing, on the other thing, and on neither.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
PAPERS = 0.4
MODELS = ("bundled/scenes", "bundled/scenes-ungrounded")
SEED = 515


@dataclass(frozen=True)
class Drawn:
    """A caption with its picture, the map of each word (word, row, column), and the mask of each thing or None."""

    caption: Any
    heat: np.ndarray
    spans: list[tuple[int, int]]
    masks: list[np.ndarray | None]

    def map_of(self, span: tuple[int, int]) -> np.ndarray:
        """The map of the word at these characters, its range made 0 to 1."""
        found = self.heat[self.spans.index(span)]
        return (found - found.min()) / max(float(np.ptp(found)), 1e-12)


def drawn(name: str, count: int) -> Iterator[Drawn]:
    """Captions of two things, drawn by a model."""
    import backends
    from backends.bundled import scene_detector
    from backends.bundled.data import scenes

    model = backends.open_model(name)
    kinds = {"relation": 0.7, "and": 0.3}
    for index, caption in enumerate(scenes.captions([SEED, 1], count, kinds=kinds)):
        result = backends.run(model, "daam", caption.text, seed=SEED + index, by_step=False, by_layer=False)
        things = scene_detector.things(result.arrays["image"])
        masks = [things[t.colour].mask if t.colour in things else None for t in caption.things]
        spans = [(int(a), int(b)) for a, b in result.arrays["span"]]
        yield Drawn(caption, result.arrays["heat"], spans, masks)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two masks."""
    return float((one & other).sum() / max((one | other).sum(), 1))


def peak_inside(heat: np.ndarray, mask: np.ndarray) -> bool:
    """Whether the largest value lies in the mask."""
    return bool(mask[np.unravel_index(heat.argmax(), heat.shape)])


def disc(size: int = 64, radius: float = 11.5) -> np.ndarray:
    """A map with its peak in the middle of the picture, above 0.4 within a thing's usual radius."""
    line = np.arange(size) + 0.5 - size / 2
    far = np.hypot(line[:, None], line[None, :])
    return np.clip(1 - 0.6 * far / radius, 0, 1)


def smooth(chance: np.random.Generator, size: int = 64) -> np.ndarray:
    """A random map as smooth as ours: 8 × 8 numbers enlarged."""
    from scipy.ndimage import zoom

    found = zoom(chance.random((8, 8)), size / 8, order=3)
    return (found - found.min()) / np.ptp(found)


def nouns(pictures: list[Drawn]) -> dict[str, Any]:
    """Segmentation and pointing of nouns, with baselines."""
    chance = np.random.default_rng(SEED)
    hits: dict[str, list[float]] = defaultdict(list)
    overlaps: dict[str, list[list[float]]] = defaultdict(list)
    there: list[bool] = []
    for each in pictures:
        for thing, mask in zip(each.caption.things, each.masks, strict=True):
            there.append(mask is not None)
            maps = {"maps": each.map_of(thing.words[1]), "centre disc": disc(), "random": smooth(chance)}
            for name, heat in maps.items():
                hits[name].append(0.0 if mask is None else float(peak_inside(heat, mask)))
                overlaps[name].append([0.0 if mask is None else iou(heat > t, mask) for t in THRESHOLDS])
    found = np.array(there)
    at = THRESHOLDS.index(PAPERS)
    said: dict[str, Any] = {"nouns": len(found), "drawn": int(found.sum())}
    for name, pointed in hits.items():
        scores, points = np.array(overlaps[name]), np.array(pointed)
        said[name] = {
            "mIoU": round(float(scores[:, at].mean()), 3),
            "mIoU, drawn": round(float(scores[found, at].mean()), 3),
            "pointing": round(float(points.mean()), 3),
            "pointing, drawn": round(float(points[found].mean()), 3),
            "mIoU by threshold": dict(zip(map(str, THRESHOLDS), scores.mean(0).round(3).tolist(), strict=True)),
        }
    return said


def relations(each: Drawn) -> Iterator[tuple[str, tuple[int, int], tuple[int, int]]]:
    """(relation, head, dependent) of a caption, as a parser would say; words are known by their characters."""
    text, things = each.caption.text, each.caption.things
    for thing in things:
        colour, noun = thing.words
        yield "amod", noun, colour
        yield "det", noun, (colour[0] - 2, colour[0] - 1)
    joint = each.caption.relation.split()[0] if each.caption.relation else "and"
    at = text.index(f" {joint} ") + 1
    middle = (at, at + len(joint))
    yield "conj" if joint == "and" else "nmod", things[0].words[1], things[1].words[1]
    yield "cc" if joint == "and" else "prep", things[0].words[1], middle


def overlap(pictures: list[Drawn]) -> dict[str, Any]:
    """The paper's three overlaps of head and dependent, by relation, in percent."""
    rows: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for each in pictures:
        for name, head, dependent in relations(each):
            one, other = each.map_of(head) > PAPERS, each.map_of(dependent) > PAPERS
            both = float((one & other).sum())
            rows[name].append((iou(one, other), both / max(other.sum(), 1), both / max(one.sum(), 1)))
    return {
        name: dict(zip(("IoU", "IoD", "IoH"), (100 * np.mean(found, 0)).round(1).tolist(), strict=True))
        | {"n": len(found)}
        for name, found in rows.items()
    }


def entanglement(pictures: list[Drawn]) -> dict[str, Any]:
    """Overlap of the two nouns' maps, and pointing, where the nouns are the same word and where they are not."""
    rows: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for each in pictures:
        first, second = each.caption.things
        one, other = each.map_of(first.words[1]), each.map_of(second.words[1])
        pointed = [
            mask is not None and peak_inside(heat, mask) for heat, mask in zip((one, other), each.masks, strict=True)
        ]
        same = "same noun" if first.shape == second.shape else "two nouns"
        rows[same].append((iou(one > PAPERS, other > PAPERS), float(np.mean(pointed))))
    return {
        name: {"IoU of the nouns": round(a, 3), "pointing": round(b, 3), "n": len(rows[name])}
        for name, (a, b) in ((name, np.mean(found, 0).tolist()) for name, found in rows.items())
    }


def spread(pictures: list[Drawn]) -> dict[str, Any]:
    """Where a colour's map lies: shares of its sum, beside the shares of the picture that the things cover."""
    rows = []
    for each in pictures:
        if any(mask is None for mask in each.masks):
            continue
        masks: list[Any] = list(each.masks)
        for index, thing in enumerate(each.caption.things):
            heat = each.heat[each.spans.index(thing.words[0])]
            own, other = heat[masks[index]].sum() / heat.sum(), heat[masks[1 - index]].sum() / heat.sum()
            rows.append((own, other, 1 - own - other, masks[index].mean()))
    names = ("on its thing", "on the other thing", "on neither", "its thing's share of the picture")
    return dict(zip(names, np.mean(rows, 0).round(3).tolist(), strict=True)) | {"n": len(rows)}


def main() -> None:
    """Print one JSON line a study and model."""
    import torch

    torch.set_num_threads(1)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for name in sys.argv[2:] or MODELS:
        pictures = list(drawn(name, count))
        for study in (nouns, overlap, entanglement, spread):
            line = {"benchmark": "words", "study": study.__name__, "model": name, "pictures": count}
            print(json.dumps(line | study(pictures)), flush=True)


if __name__ == "__main__":
    main()
