"""What hides a region of a picture best: the picture around it, continued as if nothing had been there.

A blurred or grey patch is an object of its own to many networks, and so is a smooth one among noise. So a hidden
region is filled with that other part of the same picture which best continues its rim (exemplar-based inpainting:
Criminisi et al. 2004), joined without a seam by the smoothest correction that meets the rim (Pérez et al. 2003,
Poisson Image Editing, eq. 4). What is hidden is never copied: where the other part is hidden too, only the smooth
continuation of what is known is there.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

COARSE = 32
"""Cells along the longer side of the grid on which the best other part is looked for."""
STEP = 2
"""Cells between one part that is tried and the next."""
NEAREST = 3
"""Parts nearer than so many cells are not tried: they are the region itself."""
INSIDE = 0.3
"""The share of the picture that must stay inside when it is moved, at least."""
USELESS = 4.0
"""How much worse a part is of which nothing is known, in units of the picture's own variance."""
SWEEPS = 6
"""Relaxations at each resolution."""


class Infill:
    """Fills hidden regions of one picture (1, C, H, W)."""

    def __init__(self, pixels: Tensor) -> None:
        grey = bool((pixels == pixels[:, :1]).all())
        self.channels = pixels.shape[1]
        self.pixels = pixels[:, :1].float() if grey else pixels.float()
        self.cell = max(-(-max(pixels.shape[-2:]) // COARSE), 1)
        small = F.avg_pool2d(self.pixels, self.cell, ceil_mode=True)[0]  # (C, h, w)
        self.moves = list_moves(*small.shape[-2:])
        self._known = torch.from_numpy(self.moves.source >= 0).to(small)  # (move, cell)
        source = torch.from_numpy(self.moves.source.clip(min=0)).to(small.device)
        flat = small.flatten(1)
        difference = (flat[:, source] - flat[:, None]).square().mean(0)  # (move, cell)
        self._difference = difference * self._known / flat.var(1).mean().clamp(min=1e-12)

    def __call__(self, hidden: Tensor) -> Tensor:
        """The picture (B, C, H, W) with what is `hidden` (B, 1, H, W) bool filled."""
        many = self.pixels.expand(len(hidden), *self.pixels.shape[1:])
        smooth = fill_smoothly(many, hidden)
        other = self._move(smooth, self.best(hidden))
        return torch.where(hidden, other + fill_smoothly(many - other, hidden), many).expand(-1, self.channels, -1, -1)

    def best(self, hidden: Tensor) -> Tensor:
        """The number of the move (B,) whose part continues the rim of what is `hidden` best."""
        covered = F.max_pool2d(hidden.to(self.pixels), self.cell, ceil_mode=True)
        rim = (F.max_pool2d(covered, 3, 1, 1) - covered).flatten(1)  # (B, cell)
        error = (rim @ self._difference.T) / (rim @ self._known.T).clamp(min=1)
        return (error + USELESS * self._unknown(covered[:, 0])).argmin(1)

    def _unknown(self, covered: Tensor) -> Tensor:
        """The share (B, move) of what is `covered` (B, h, w) whose other part is hidden or outside, by correlation."""
        high, wide = covered.shape[-2:]
        around = F.pad(covered, (wide, wide, high, high), value=1.0)  # what is outside is not known either
        size = around.shape[-2:]
        there = torch.fft.rfft2(around)
        shares = []
        for turned in (covered, covered.flip(-1)):
            own = torch.fft.rfft2(turned, s=size)
            shares.append(torch.fft.irfft2(there * own.conj(), s=size))  # at (high + down, wide + right)
        down, right, mirrored = (torch.from_numpy(self.moves.by[:, i]).to(covered.device) for i in range(3))
        both = torch.stack(shares, 1)  # (B, 2, …)
        found = both[:, mirrored, high + down, wide + right]
        return found / covered.sum((1, 2))[:, None].clamp(min=1)

    def _move(self, pixels: Tensor, chosen: Tensor) -> Tensor:
        """`pixels` (B, C, H, W) moved by the `chosen` move of each; what comes from outside stays as it is."""
        high, wide = pixels.shape[-2:]
        by = torch.from_numpy(self.moves.by).to(pixels.device)[chosen]  # (B, 3)
        row = torch.arange(high, device=pixels.device)[None] + by[:, :1] * self.cell
        column = torch.arange(wide, device=pixels.device)[None]
        column = torch.where(by[:, 2:] > 0, wide - 1 - column, column) + by[:, 1:2] * self.cell
        inside = ((row >= 0) & (row < high))[:, :, None] & ((column >= 0) & (column < wide))[:, None]  # (B, H, W)
        index = row.clamp(0, high - 1)[:, :, None] * wide + column.clamp(0, wide - 1)[:, None]
        taken = pixels.flatten(2).gather(2, index.flatten(1)[:, None].expand(-1, pixels.shape[1], -1))
        return torch.where(inside[:, None], taken.view_as(pixels), pixels)


class Moves:
    """Ways to lay a grid over itself: `by` (move, 3) down, right and whether mirrored; `source` (move, cell).

    `source` says from which cell each cell takes, -1 for one outside.
    """

    def __init__(self, high: int, wide: int) -> None:
        row, column = np.mgrid[:high, :wide]
        by, source = [], []
        for mirrored in (0, 1):
            across = wide - 1 - column if mirrored else column
            for down in range(-(high // 2), high // 2 + 1, STEP):
                for right in range(-(wide // 2), wide // 2 + 1, STEP):
                    if not mirrored and max(abs(down), abs(right)) < NEAREST:
                        continue
                    r, c = row + down, across + right
                    inside = (r >= 0) & (r < high) & (c >= 0) & (c < wide)
                    if inside.mean() >= INSIDE:
                        by.append((down, right, mirrored))
                        source.append(np.where(inside, r * wide + c, -1).ravel())
        self.by, self.source = np.array(by), np.array(source)


@lru_cache(maxsize=8)
def list_moves(high: int, wide: int) -> Moves:
    """The moves of a grid of this size."""
    return Moves(high, wide)


def fill_smoothly(pixels: Tensor, hidden: Tensor) -> Tensor:
    """`pixels` (B, C, H, W) with what is `hidden` (B, 1, H, W) continued smoothly, as a membrane over a hole.

    Each hidden value becomes about the mean of its neighbours; found from coarse to fine.
    """
    known = (~hidden).to(pixels.dtype)
    levels = [(pixels * known, known)]
    while min(levels[-1][0].shape[-2:]) > 2:
        total, weight = levels[-1]
        levels.append((F.avg_pool2d(total, 2, ceil_mode=True), F.avg_pool2d(weight, 2, ceil_mode=True)))
    total, weight = levels[-1]
    mean = total.sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True).clamp(min=1e-6)
    filled = mean.expand_as(total)
    for total, weight in reversed(levels):
        filled = F.interpolate(filled, size=total.shape[-2:], mode="bilinear", align_corners=False)
        unknown = weight < 1e-6
        filled = torch.where(unknown, filled, total / weight.clamp(min=1e-6))
        for _ in range(SWEEPS):
            filled = torch.where(unknown, _average_neighbours(filled), filled)
    return filled


def _average_neighbours(values: Tensor) -> Tensor:
    """The mean of each place's four neighbours."""
    wide = F.pad(values, (1, 1, 1, 1), mode="replicate")
    across = wide[..., 1:-1, :-2] + wide[..., 1:-1, 2:]
    return (across + wide[..., :-2, 1:-1] + wide[..., 2:, 1:-1]) / 4
