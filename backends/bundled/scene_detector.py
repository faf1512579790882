"""Say what a picture of `bundled/scenes` shows: which coloured shapes, where, and on what background.

A pixel has the colour of the palette that is nearest to it; a thing is the largest connected patch of a
colour; its shape is the one that overlaps best when stretched to the patch's bounding box.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import ndimage

from backends.bundled.data import scenes as data

SMALLEST = 80  # pixels; the smallest shape drawn covers about 200
NAMES = tuple(data.COLOURS)
PALETTE = np.array([data.BACKGROUND, *data.COLOURS.values()], np.float32)


@dataclass(frozen=True)
class Found:
    """A coloured patch: its colour, its shape, how well the shape fits (IoU), its centre (row, column), its mask."""

    colour: str
    shape: str
    fit: float
    centre: tuple[float, float]
    mask: np.ndarray


def nearest(image: np.ndarray) -> np.ndarray:
    """For each pixel the place of the nearest colour in `PALETTE`, 0 being the background; (row, column)."""
    return ((image[..., None, :].astype(np.float32) - PALETTE) ** 2).sum(-1).argmin(-1)


def templates(rows: int, columns: int) -> dict[str, np.ndarray]:
    """Each shape stretched to `rows` × `columns`."""
    down = ((np.arange(rows) + 0.5) * 2 / rows - 1)[:, None]
    across = ((np.arange(columns) + 0.5) * 2 / columns - 1)[None, :]
    return {
        "circle": down**2 + across**2 <= 1,
        "square": np.ones((rows, columns), bool),
        "triangle": np.abs(across) <= (1 + down) / 2,
    }


def shape_of(mask: np.ndarray) -> tuple[str, float]:
    """The shape that overlaps a mask best, and the overlap (IoU)."""
    box = mask[ndimage.find_objects(mask.astype(np.uint8))[0]]
    overlaps = {name: (box & t).sum() / (box | t).sum() for name, t in templates(*box.shape).items()}
    best = max(overlaps, key=overlaps.__getitem__)
    return best, float(overlaps[best])


def things(image: np.ndarray) -> dict[str, Found]:
    """The largest patch of each colour that is there, by colour."""
    said, found = nearest(image), {}
    for place, colour in enumerate(NAMES, 1):
        patches, count = ndimage.label(said == place)
        sizes = np.bincount(patches.ravel(), minlength=count + 1)[1:]
        if count and sizes.max() >= SMALLEST:
            mask = patches == sizes.argmax() + 1
            found[colour] = Found(colour, *shape_of(mask), ndimage.center_of_mass(mask), mask)
    return found


def related(relation: str, first: Found, second: Found) -> bool:
    """Whether the first patch lies above, below, left of or right of the second: mostly in that direction."""
    apart = np.subtract(first.centre, second.centre)
    along = apart @ np.array(data.RELATIONS[relation])
    return bool(along > 0 and along >= np.abs(apart).max())


def judge(made: data.Caption, image: np.ndarray) -> dict[str, list[float]]:
    """What a picture has of its caption: `colour` and `shape` for each thing, `relation`, `background` (share)."""
    found = things(image)
    seen = [found.get(thing.colour) for thing in made.things]
    shapes = [each is not None and each.shape == t.shape and each.fit >= 0.7
              for each, t in zip(seen, made.things, strict=True)]  # fmt: skip
    wanted = np.zeros(image.shape[:2], bool)
    for each in seen:
        wanted |= False if each is None else each.mask
    rest = ~ndimage.binary_dilation(wanted, iterations=2)
    plain = np.abs(image.astype(int) - data.BACKGROUND).max(-1) <= 32
    right: dict[str, list[float]] = {"colour": [each is not None for each in seen], "shape": [*shapes]}
    right["background"] = [float(plain[rest].mean())]
    if made.relation:
        first, second = seen
        right["relation"] = [first is not None and second is not None and related(made.relation, first, second)]
    return right


def outlines(words: Sequence[str], image: np.ndarray) -> np.ndarray:
    """The mask of the thing that each word means, (word, row, column) bool: a colour's and its noun's are the same.

    Empty where a word means no thing, or a thing that is not there.
    """
    found, masks = things(image), np.zeros((len(words), *image.shape[:2]), bool)
    for at, (colour, noun) in enumerate(pairwise(words)):
        if noun in data.SHAPES and colour in found:
            masks[at] = masks[at + 1] = found[colour].mask
    return masks


def score(asked: list[data.Caption], images: np.ndarray) -> dict[str, float]:
    """Mean over pictures: `background`, `colour`, `shape`, `relation`, each a share; the latter only where asked."""
    judged = [judge(made, image) for made, image in zip(asked, images, strict=True)]
    values = {
        key: [v for each in judged for v in each.get(key, [])] for key in ("background", "colour", "shape", "relation")
    }
    return {key: float(np.mean(found)) for key, found in values.items() if found}


def summary(scores: dict[str, float]) -> str:
    """Scores in a line."""
    return " ".join(f"{key} {value:.2f}" for key, value in scores.items())
