"""The cells of an input that can be hidden: squares of a grid over an image, or the words of a text.

A map is read here once, as one number for each cell; every test works on these.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from backends.errors import Refused

if TYPE_CHECKING:
    from torch import Tensor

    from backends.models.base import Batch

FINEST = 64
"""Cells along the longer side of an image, at most."""
SOFT = 0.024
"""How far an image's map is blurred when it is read, as a share of the longer side: a speckled map is seen so, too."""


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of `batch`: squares of a grid (row by row), or the tokens that are not special."""

    batch: Batch

    @property
    def is_image(self) -> bool:
        """Whether the input is an image."""
        return self.batch.image is not None

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """(rows, columns) or (words,)."""
        if not self.is_image:
            return (int((~np.asarray(self.batch.special)).sum()),)
        return int(self._lines[0].max()) + 1, int(self._lines[1].max()) + 1

    @cached_property
    def _lines(self) -> tuple[np.ndarray, np.ndarray]:
        """The grid row of each pixel row, and the grid column of each pixel column."""
        high, wide = self.batch.image.shape[:2]
        side = -(-max(high, wide) // FINEST)
        return np.arange(high) // side, np.arange(wide) // side

    @cached_property
    def number(self) -> np.ndarray:
        """The cell of each pixel (height, width) or token (token,); -1 belongs to none."""
        if self.is_image:
            rows, columns = self._lines
            return rows[:, None] * self.shape[1] + columns
        free = ~np.asarray(self.batch.special)
        return np.where(free, free.cumsum() - 1, -1)

    @property
    def words(self) -> list[str]:
        """The tokens that can be hidden."""
        return [token for token, cell in zip(self.batch.tokens, self.number, strict=True) if cell >= 0]

    @property
    def count(self) -> int:
        """How many cells there are."""
        return int(np.prod(self.shape))

    def read(self, attribution: np.ndarray) -> np.ndarray:
        """The mean of a map (height, width) or (token,) over each cell, (cell,) float64. Raises `Refused`.

        An image's is blurred by `SOFT`, since single pixels cannot be hidden (infilling brings them back) and what is
        left around a bright square's corner still shows; a mask, of two values, is read as it is.
        """
        if attribution.shape != self.number.shape:
            raise Refused(
                f"the map is {attribution.shape} but this input is {self.number.shape}: take one of this input"
            )
        if not np.isfinite(attribution).all():
            raise Refused("the map holds numbers that are not finite; there is nothing to test")
        kept = self.number >= 0
        total = np.bincount(self.number[kept], attribution[kept].astype(float), self.count)
        mean = total / np.bincount(self.number[kept], minlength=self.count)
        return blur_map(mean.reshape(self.shape)).ravel() if self.is_image else mean

    def spread(self, masks: np.ndarray) -> Tensor:
        """Masks of cells (N, cell) as masks of features, (N, 1, H, W) or (N, T, 1) bool."""
        import torch

        padded = np.concatenate([masks, np.zeros((len(masks), 1), bool)], 1)  # -1: never hidden
        spread = torch.from_numpy(padded[:, self.number])
        return spread[:, None] if self.is_image else spread[..., None]


def blur_map(values: np.ndarray) -> np.ndarray:
    """A map (row, column) blurred by `SOFT` of its longer side, unless it is a mask; its edges count as going on."""
    from scipy.ndimage import gaussian_filter

    mask = ((values == values.min()) | (values == values.max())).all()
    return values if mask else gaussian_filter(values, SOFT * max(values.shape), mode="nearest")


def select_brightest(values: np.ndarray, share: float) -> np.ndarray:
    """The cells (cell,) bool with the largest values, at most `share` of all and at least one; only those above zero.

    Cells of equal value go together, so that a flat map has no brightest cells of its own; the first such
    group counts even where it is larger than `share`.
    """
    top = float(values.max(initial=0.0))
    if top <= 0:
        return np.zeros(values.shape, bool)
    levels = np.rint(values / top * 1e6).astype(np.int64)
    room = max(round(share * values.size), 1)
    order = np.argsort(-levels, kind="stable")
    sorted_levels = levels[order]
    if sorted_levels[room - 1] <= 0:
        return levels > 0
    cut = sorted_levels[room - 1]
    above = levels > cut
    whole = (levels == cut).sum() + above.sum() <= room
    return levels >= cut if whole or not above.any() else above
