"""From summed attention to maps of words: sizes, weights of layers, and heads apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backends.errors import Refused
from backends.hooks.diffusion import Layer
from backends.methods.diffusion import word_fold

LAYERS = [
    Layer("down_blocks.0.attentions.0", "cross", 2),
    Layer("up_blocks.1.attentions.0", "cross", 4),
]


def even(*shape: int, value: float) -> torch.Tensor:
    return torch.full(shape, value)


def test_places_are_laid_out_at_the_size_of_the_latents() -> None:
    large = word_fold.enlarge(even(1, 3, 16, value=0.5), (8, 8))
    assert large.shape == (1, 3, 8, 8)
    torch.testing.assert_close(large, even(1, 3, 8, 8, value=0.5))
    spike = torch.zeros(1, 16)
    spike[0, 5] = 1.0
    assert float(word_fold.enlarge(spike, (8, 8)).min()) == 0  # bicubic would undershoot
    with pytest.raises(Refused, match="a layer has 15 places, which no halving of 8 × 8 gives"):
        word_fold.enlarge(torch.zeros(1, 15), (8, 8))


def test_maps_shrink_by_means_of_areas_and_small_ones_stay() -> None:
    maps = torch.arange(2 * 8 * 16).float().view(2, 8, 16)
    small = word_fold.shrink(maps, 4)
    assert small.shape == (2, 2, 4)
    torch.testing.assert_close(small[0, 0, 0], maps[0, :4, :4].mean())
    torch.testing.assert_close(small.mean(), maps.mean())
    assert word_fold.shrink(maps, 16) is maps


def test_layers_weigh_as_many_heads_as_they_have() -> None:
    sums = {0: even(1, 3, 16, value=1.0), 1: even(1, 3, 64, value=4.0)}
    folded = word_fold.fold(sums, LAYERS, [2, 4], (8, 8))
    torch.testing.assert_close(folded.total, even(1, 3, 8, 8, value=(2 * 1 + 4 * 4) / 6))
    assert [float(layer.mean()) for layer in folded.layers] == pytest.approx([1, 4])
    assert folded.heads == []


def test_heads_apart_have_names_and_their_mean_is_the_layer() -> None:
    heads = torch.stack([even(3, 16, value=float(h)) for h in range(2)])[None]
    folded = word_fold.fold({0: heads}, LAYERS, [2, 4], (8, 8))
    torch.testing.assert_close(folded.total, even(1, 3, 8, 8, value=0.5))
    assert [float(head.mean()) for head in folded.heads] == pytest.approx([0, 1])
    assert folded.names == [f"{LAYERS[0].short} · 0", f"{LAYERS[0].short} · 1"]


def test_a_word_is_the_mean_of_its_tokens() -> None:
    maps = torch.stack([even(4, 4, value=v) for v in (1.0, 2.0, 6.0)])
    words = word_fold.average_tokens(maps, np.array([[1, 0, 0], [0, 0.5, 0.5]], np.float32))
    torch.testing.assert_close(words, torch.stack([even(4, 4, value=1.0), even(4, 4, value=4.0)]))
    image = word_fold.enlarge_to_image(words, 32, 48)
    assert image.shape == (2, 32, 48)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image[1], 4, rtol=1e-5)
