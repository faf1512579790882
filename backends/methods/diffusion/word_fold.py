"""From attention summed over steps to maps of words: what DAAM does with what `hooks.diffusion` recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from backends.hooks.diffusion import Layer, find_grid

if TYPE_CHECKING:
    from torch import Tensor

SMALL = 32
"""Maps by step, layer and head have at most so many rows and columns."""


def enlarge(found: Tensor, latent: tuple[int, int]) -> Tensor:
    """(…, place) to (…, row, column) at the latents' size: bicubic, nothing below zero."""
    from torch.nn import functional as F

    places = found.reshape(-1, 1, *find_grid(latent, found.shape[-1])).float()
    large = F.interpolate(places, size=latent, mode="bicubic").clamp(min=0)
    return large.reshape(*found.shape[:-1], *latent)


def shrink(maps: Tensor, most: int = SMALL) -> Tensor:
    """(…, row, column) with at most `most` rows and columns: means over areas."""
    from torch.nn import functional as F

    rows, columns = maps.shape[-2:]
    by = max(rows, columns) / most
    if by <= 1:
        return maps
    size = (max(round(rows / by), 1), max(round(columns / by), 1))
    return F.interpolate(maps.reshape(-1, 1, rows, columns), size=size, mode="area").reshape(*maps.shape[:-2], *size)


@dataclass
class FoldedMaps:
    """What the layers add up to: `total` (picture, token, row, column), the mean over all layers' heads.

    `layers` and `heads` are the first picture's parts of it, (token, row, column) each and small; heads only where
    they were kept apart.
    """

    total: Tensor
    layers: list[Tensor] = field(default_factory=list)
    heads: list[Tensor] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


def fold(
    sums: Mapping[int, Tensor], layers: Sequence[Layer], counts: Sequence[int], latent: tuple[int, int]
) -> FoldedMaps:
    """DAAM's maps of summed attention: an unweighted mean over heads, so that layers with more heads weigh more.

    `sums[layer]` is (picture, head, token, place) with the heads apart, which are clamped one by one (exact), or
    (picture, token, place), already their mean (fast); `counts` is how many heads of each layer were heard.
    """
    total, folded, heads = None, [], 0
    parts: list[Tensor] = []
    names: list[str] = []
    for number in sorted(sums):
        maps = enlarge(sums[number], latent)
        if maps.ndim == 5:  # (picture, head, token, row, column)
            parts += [shrink(head) for head in maps[0]]
            names += [f"{layers[number].short} · {head}" for head in range(maps.shape[1])]
            maps = maps.mean(1)
        folded.append(shrink(maps[0]))
        weighted = maps * counts[number]
        total = weighted if total is None else total + weighted
        heads += counts[number]
    assert total is not None  # the caller has checked that layers were heard
    return FoldedMaps(total / heads, folded, parts, names)


def average_tokens(maps: Tensor, matrix: np.ndarray) -> Tensor:
    """(…, token, row, column) to (…, word, row, column): the mean over each word's tokens."""
    import torch

    return torch.einsum("wt,...tyx->...wyx", torch.from_numpy(matrix).to(maps.device), maps)


def enlarge_to_image(maps: Tensor, height: int, width: int) -> np.ndarray:
    """(word, row, column) at the picture's size, float32."""
    from torch.nn import functional as F

    large = F.interpolate(maps[:, None], size=(height, width), mode="bicubic").clamp(min=0)
    return large[:, 0].cpu().numpy().astype(np.float32)
