"""Phantom chest radiographs with exact lesion and tag masks.

Everything is synthetic: smooth shapes that resemble a frontal chest film at a glance (dark lungs,
bright mediastinum, ribs, diaphragm, noise) and no anatomy beyond that. A lesion is one soft round
nodule in a lung; outside its mask it changes no pixel. The corner tag is a small bright `P`; whether
its presence goes with the label is up to the caller (real networks have fallen for such marks:
Zech et al. 2018, "Variable generalization performance of a deep learning model to detect pneumonia").
"""

from dataclasses import dataclass

import numpy as np

SIZE = 64
LABELS = ("no finding", "lesion")
TAGS = ("agree", "contradict", "random", "none")
# The tag, 7×5 pixels: a `P`, as films taken at the bedside ("portable") carry.
LETTER = np.array([list(row) for row in ("####.", "#...#", "#...#", "####.", "#....", "#....", "#....")]) == "#"
# A lesion's soft shape is cut below this share of its peak, so that it ends at its mask.
EDGE = 0.2
# Peak brightness of a lesion, as a share of full white: plain to see, and nearly lost in the noise.
PLAIN, FAINT = (0.2, 0.36), (0.07, 0.14)


@dataclass(frozen=True)
class Phantoms:
    """Images with their ground truth; every array's first axis is the image.

    `images` (image, row, column) uint8 grey levels; `labels` (image,) 1 with a lesion; `lesions`
    and `tags` (image, row, column) bool masks; `clean` the same images without the lesion.
    """

    images: np.ndarray
    labels: np.ndarray
    lesions: np.ndarray
    tags: np.ndarray
    clean: np.ndarray

    @property
    def rgb(self) -> np.ndarray:
        """The images as (image, row, column, 3) uint8."""
        return np.repeat(self.images[..., None], 3, axis=-1)


def soft(inside: np.ndarray, width: np.ndarray | float) -> np.ndarray:
    """Turn a signed distance, positive inside, into a soft mask in [0, 1]."""
    return 1 / (1 + np.exp(-np.clip(inside / width, -30, 30)))


def grids(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Column and row coordinates in [-1, 1], each (1, row, column)."""
    line = (np.arange(size, dtype=np.float32) + 0.5) * 2 / size - 1
    return line[None, None, :], line[None, :, None]


class Draw:
    """Random numbers shaped (image, 1, 1), so that they broadcast over the pixels."""

    def __init__(self, rng: np.random.Generator, count: int):
        self.rng, self.count = rng, count

    def __call__(self, low: float, high: float) -> np.ndarray:
        return self.rng.uniform(low, high, (self.count, 1, 1)).astype(np.float32)


def smooth(noise: np.ndarray, times: int) -> np.ndarray:
    """Blur over rows and columns with a [1 2 1]/4 kernel, `times` times."""
    for _ in range(times):
        noise = (np.roll(noise, 1, 1) + 2 * noise + np.roll(noise, -1, 1)) / 4
        noise = (np.roll(noise, 1, 2) + 2 * noise + np.roll(noise, -1, 2)) / 4
    return noise


def chest(draw: Draw, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Chests without noise, and how much of each pixel is lung; both (image, row, column)."""
    x, y = grids(size)
    scale, shift, tilt = draw(0.92, 1.1), draw(-0.07, 0.07), draw(-0.06, 0.06)
    x, y = (x - shift - tilt * y) / scale, (y - draw(-0.06, 0.06)) / scale
    body = soft(1.02 - (np.abs(x / draw(0.96, 1.08)) ** 4 + np.abs((y - 0.55) / 1.5) ** 4), 0.06)
    lungs = lung_fields(x, y, draw)
    image = body * draw(0.5, 0.6) + body * 0.1 * y
    image = image - lungs * draw(0.36, 0.46) * body
    spine = soft(draw(0.1, 0.14) - np.abs(x), 0.03)
    image = image + 0.17 * spine * body * (0.75 + 0.25 * np.cos(y * draw(24, 30) + draw(0, 6)))
    image = image + heart(x, y, draw) * draw(0.16, 0.24) * (1 - 0.6 * spine)
    image = image + (0.3 + 0.7 * lungs) * body * ribs(x, y, draw) * draw(0.07, 0.12)
    image = image + collarbones(x, y, draw) * draw(0.08, 0.13) * body
    return image, lungs


def lung_fields(x: np.ndarray, y: np.ndarray, draw: Draw) -> np.ndarray:
    """Soft mask of both lungs: tall rounded shapes, cut below by a domed diaphragm."""
    total = 0
    for side in (-1, 1):
        centre, half = side * draw(0.43, 0.48), draw(0.29, 0.34)
        lean = (x - centre - side * 0.1 * y) / (half * (1 + 0.22 * y))
        shape = 1 - np.abs(lean) ** 2.4 - np.abs((y + 0.02) / draw(0.7, 0.78)) ** 2.6
        dome = draw(0.42, 0.52) + 0.9 * (x - centre + 0.08 * side) ** 2
        total = total + soft(shape, 0.1) * soft(dome - y, 0.03)
    return np.clip(total, 0, 1)


def heart(x: np.ndarray, y: np.ndarray, draw: Draw) -> np.ndarray:
    """Soft mask of the mediastinum and of the heart, which leans to the picture's right."""
    column = soft(draw(0.13, 0.17) - np.abs(x), 0.04)
    across, down = (x - draw(0.1, 0.16)) / draw(0.28, 0.36), (y - draw(0.24, 0.32)) / draw(0.28, 0.34)
    return np.maximum(column, soft(1 - across**2 - down**2 - 0.5 * across * down, 0.15))


def ribs(x: np.ndarray, y: np.ndarray, draw: Draw) -> np.ndarray:
    """Bright curved bands that fall towards the sides."""
    arch = y - draw(0.45, 0.7) * (np.abs(x) - 0.1) ** 2 * 1.1
    wave = np.cos(2 * np.pi * (arch * draw(3.0, 3.8) + draw(0, 1)))
    return soft(wave - 0.45, 0.14) * soft(np.abs(x) - 0.1, 0.04)


def collarbones(x: np.ndarray, y: np.ndarray, draw: Draw) -> np.ndarray:
    """Two thin bright bars that rise from the middle outwards."""
    line = -draw(0.6, 0.68) - draw(0.12, 0.25) * (np.abs(x) - 0.1)
    return soft(0.035 - np.abs(y - line), 0.015) * soft(np.abs(x) - 0.1, 0.03)


def lesions_in(lungs: np.ndarray, draw: Draw, strength: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """What a nodule adds to each chest, and the mask of where it does; both (image, row, column)."""
    size = lungs.shape[-1]
    x, y = grids(size)
    inner = (smooth(lungs, 4) > 0.8).reshape(len(lungs), -1)
    pixel = np.argmax(draw.rng.random(inner.shape, dtype=np.float32) * (inner + 1e-6), axis=1)
    column, row = x.ravel()[pixel % size], y.ravel()[pixel // size]
    x, y = x - column[:, None, None], y - row[:, None, None]
    turn, stretch = draw(0, np.pi), draw(0.8, 1.25)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    radius = draw(0.1, 0.17)
    distance = np.hypot(along / stretch, across * stretch) / radius
    shape = soft(1 - distance, 0.18)
    return np.clip(shape - EDGE, 0, None) / (1 - EDGE) * draw(*strength), shape > EDGE


def tags_in(shown: np.ndarray, draw: Draw, size: int) -> np.ndarray:
    """Masks (image, row, column) of the letter in an upper corner, where it is `shown`."""
    masks = np.zeros((len(shown), size, size), bool)
    top, inset, right = draw.rng.integers(0, 2, (3, len(shown)))
    for i in np.flatnonzero(shown):
        row, column = 2 + top[i], size - 7 - inset[i] if right[i] else 2 + inset[i]
        masks[i, row : row + 7, column : column + 5] = LETTER
    return masks


def shown_tags(labels: np.ndarray, tag: str, rng: np.random.Generator) -> np.ndarray:
    """Which images carry the tag, (image,) bool: it follows, opposes or ignores the label."""
    if tag not in TAGS:
        raise ValueError(f"no tag rule {tag!r}; there are: {', '.join(TAGS)}")
    drawn = rng.random(len(labels)) < 0.5
    return {"agree": labels == 1, "contradict": labels == 0, "none": np.zeros(len(labels), bool)}.get(tag, drawn)


def phantoms(
    seed: int | list[int],
    count: int,
    tag: str = "random",
    strength: tuple[float, float] = PLAIN,
    labels: np.ndarray | None = None,
    size: int = SIZE,
) -> Phantoms:
    """Make `count` phantoms, half of them (or those in `labels`) with a lesion.

    `strength` bounds the lesion's peak as a share of full white; a lower one is fainter. All else
    is drawn before the lesion is added, so `clean` differs from `images` by the lesion alone.
    """
    rng = np.random.default_rng(seed)
    draw = Draw(rng, count)
    labels = rng.integers(0, 2, count) if labels is None else np.asarray(labels)
    base, lungs = chest(draw, size)
    added, mask = lesions_in(lungs, draw, strength)
    ill = labels.astype(bool)[:, None, None]
    added, mask = np.where(ill, added, 0), mask & ill
    grain = rng.standard_normal(base.shape, dtype=np.float32)
    noise = smooth(grain, 1) * draw(0.02, 0.05) + smooth(np.roll(grain, 7, 1), 6) * draw(0.05, 0.15)
    gain, lift, gamma = draw(0.95, 1.2), draw(0.02, 0.1), draw(0.85, 1.2)
    marks = tags_in(shown_tags(labels, tag, rng), draw, size)

    def expose(chests: np.ndarray) -> np.ndarray:
        film = np.clip(lift + gain * (chests + noise), 0, 1) ** gamma
        return np.where(marks, 245, np.rint(film * 235)).astype(np.uint8)

    return Phantoms(expose(base + added), labels.astype(np.int64), mask, marks, expose(base))
