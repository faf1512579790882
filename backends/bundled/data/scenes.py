"""Drawn scenes of one or two coloured shapes, with a caption and the exact mask of each shape.

A caption such as "a red circle above a blue square" says everything but the sizes and small shifts.
Three colour–shape pairs are never drawn for training, so that a model can be asked for what it has not seen.
"""

from dataclasses import dataclass

import numpy as np

SIZE = 64
BACKGROUND = (235, 235, 230)
COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 165, 60),
    "blue": (45, 75, 220),
    "yellow": (235, 200, 30),
    "purple": (150, 50, 175),
}
SHAPES = ("circle", "square", "triangle")
# The relation of the first thing to the second: words, and the direction (row, column) from second to first.
RELATIONS = {"above": (-1, 0), "below": (1, 0), "left of": (0, -1), "right of": (0, 1)}
UNSEEN = (("blue", "triangle"), ("yellow", "circle"), ("purple", "square"))
PAIRS = tuple((colour, shape) for colour in COLOURS for shape in SHAPES)
SEEN = tuple(pair for pair in PAIRS if pair not in UNSEEN)
WHERE = ("middle", "top", "bottom", "left", "right")
# How often a caption names one thing, two joined by "and", or two in a relation.
KINDS = {"one": 0.2, "and": 0.1, "relation": 0.7}


@dataclass(frozen=True)
class Thing:
    """A shape of a scene; `words` are the character spans of its colour and of its noun in the caption."""

    colour: str
    shape: str
    words: tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Caption:
    """The words of a scene: its text, its things in the order of the text, and their relation ("" when none)."""

    text: str
    things: tuple[Thing, ...]
    relation: str


@dataclass(frozen=True)
class Scenes:
    """Captions, `images` (scene, row, column, 3) uint8 and `masks` (scene, thing, row, column) bool."""

    captions: list[Caption]
    images: np.ndarray
    masks: np.ndarray


def words() -> list[str]:
    """Every word that occurs in a caption."""
    return ["a", "and", "of", *(name.split()[0] for name in RELATIONS), *COLOURS, *SHAPES]


def caption(pairs: list[tuple[str, str]], relation: str = "") -> Caption:
    """Write the caption of one or two (colour, shape) pairs."""
    text, things = "", []
    for place, (colour, shape) in enumerate(pairs):
        text += f" {relation or 'and'} a " if place else "a "
        start, middle = len(text), len(text) + len(colour)
        text += f"{colour} {shape}"
        things.append(Thing(colour, shape, ((start, middle), (middle + 1, len(text)))))
    return Caption(text, tuple(things), relation)


def captions(seed: int | list[int], count: int, pairs: tuple = SEEN, kinds: dict[str, float] = KINDS) -> list[Caption]:
    """Draw `count` captions whose things come from `pairs`; two things always differ in colour."""
    rng = np.random.default_rng(seed)
    made = []
    for kind in rng.choice(list(kinds), count, p=list(kinds.values())):
        first = pairs[rng.integers(len(pairs))]
        if kind == "one":
            made.append(caption([first]))
            continue
        others = [pair for pair in pairs if pair[0] != first[0]]
        second = others[rng.integers(len(others))]
        relation = list(RELATIONS)[rng.integers(len(RELATIONS))] if kind == "relation" else ""
        made.append(caption([first, second], relation))
    return made


def layout(made: Caption) -> dict[str, Thing]:
    """What lies where: `middle`, or two of `top`, `bottom`, `left` and `right`; empty where "and" leaves it open."""
    if len(made.things) == 1:
        return {"middle": made.things[0]}
    ends = {"above": ("top", "bottom"), "below": ("bottom", "top"), "left of": ("left", "right")}
    ends["right of"] = ("right", "left")
    return dict(zip(ends.get(made.relation, ()), made.things, strict=False))


def cover(shape: str, down: np.ndarray, across: np.ndarray, radius: float) -> np.ndarray:
    """How much of each pixel a shape covers, in [0, 1], from the pixel's offset to the shape's centre."""
    if shape == "circle":
        inside = radius - np.hypot(down, across)
    elif shape == "square":
        inside = 0.88 * radius - np.maximum(np.abs(down), np.abs(across))
    else:  # as wide as it is high, with a flat base
        inside = np.minimum(radius - down, (radius + down - 2 * np.abs(across)) / np.sqrt(5))
    return np.clip(inside + 0.5, 0, 1)


def places(made: Caption, rng: np.random.Generator) -> np.ndarray:
    """The centre (row, column) of each thing in pixels."""
    if len(made.things) == 1:
        return 32 + rng.uniform(-8, 8, (1, 2))
    relation = made.relation or list(RELATIONS)[rng.integers(len(RELATIONS))]
    towards = np.array(RELATIONS[relation])
    spread = np.where(towards == 0, 6, 1.5)
    return 32 + np.stack([15 * towards, -15 * towards]) + rng.uniform(-1, 1, (2, 2)) * spread


def draw(made: list[Caption], seed: int | list[int]) -> Scenes:
    """Draw a scene for each caption; a thing's mask holds the pixels it covers by more than half."""
    rng = np.random.default_rng(seed)
    line = np.arange(SIZE, dtype=np.float32) + 0.5
    images = np.tile(np.array(BACKGROUND, np.float32), (len(made), SIZE, SIZE, 1))
    masks = np.zeros((len(made), 2, SIZE, SIZE), bool)
    for row, each in enumerate(made):
        for place, (thing, centre) in enumerate(zip(each.things, places(each, rng), strict=True)):
            radius = rng.uniform(10.5, 12.5)
            down, across = (slice(max(0, int(c) - 15), int(c) + 16) for c in centre)
            covered = cover(thing.shape, line[down, None] - centre[0], line[None, across] - centre[1], radius)
            window = images[row, down, across]
            window += covered[..., None] * (np.array(COLOURS[thing.colour], np.float32) - window)
            masks[row, place, down, across] = covered > 0.5
    return Scenes(made, np.rint(images).astype(np.uint8), masks)


def scenes(seed: int, count: int, pairs: tuple = SEEN, kinds: dict[str, float] = KINDS) -> Scenes:
    """Draw `count` scenes with their captions."""
    return draw(captions([seed, 0], count, pairs, kinds), [seed, 1])
