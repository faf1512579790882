"""Faithfulness correlation against its definition, and what bright words are worth."""

from __future__ import annotations

import numpy as np
import pytest

from backends.evidence.measures import mask_correlation
from tests.backends.evidence import linear


def test_the_exact_map_correlates_with_every_drop() -> None:
    model, image, exact = linear.picture(spot=False)
    masked = linear.mask(model, {"image": image}, count=40)
    maps = np.stack([exact.ravel(), -2 * exact.ravel(), np.ones(256)])
    assert mask_correlation.correlation(masked.hidden, masked.drops, maps) == pytest.approx([1, -1, 0], abs=1e-4)


def test_partial_correlation_is_that_of_residuals() -> None:
    chance = np.random.default_rng(0)
    hidden, drops, values = chance.random((30, 9)) < 0.4, chance.standard_normal(30), chance.standard_normal(9)
    size = np.stack([np.ones(30), hidden.sum(1)], 1)
    left, right = (v - size @ np.linalg.lstsq(size, v, rcond=None)[0] for v in (hidden @ values, drops))
    wanted = np.corrcoef(left, right)[0, 1]
    assert mask_correlation.correlation(hidden, drops, values[None])[0] == pytest.approx(wanted)


def test_masks_of_one_size_give_the_plain_correlation() -> None:
    chance = np.random.default_rng(0)
    hidden = np.stack([chance.permutation(9) < 3 for _ in range(30)])
    drops, values = chance.standard_normal(30), chance.standard_normal(9)
    wanted = np.corrcoef(hidden @ values, drops)[0, 1]
    assert mask_correlation.correlation(hidden, drops, values[None])[0] == pytest.approx(wanted)


def test_what_bright_words_are_worth() -> None:
    effects = np.array([4.0, 2.0, -1.0, 0.0, 0.0])
    maps = np.array([[1.0, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [3, 3, 0, 0, 0], [1, 1, 1, 1, 1]])
    assert mask_correlation.weigh_bright_words(effects, maps) == pytest.approx([1.0, 0.5, 0.0, 0.75, 0.0])
    assert mask_correlation.weigh_bright_words(-np.abs(effects), maps) == pytest.approx(np.zeros(5))
