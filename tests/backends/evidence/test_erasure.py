"""Erasure of the brightest words, against sums of a linear network's weights."""

from __future__ import annotations

import numpy as np
import pytest

from backends.evidence import erasure
from tests.backends.evidence import linear

EFFECTS = {"b": 3.0, "e": 2.0, "h": -1.0, "k": 0.5}


def test_what_is_lost_without_the_words_and_with_them_alone() -> None:
    model, weight = linear.text(EFFECTS)
    masked = linear.mask(model, {"text": linear.TEXT}, count=1)
    without, alone = erasure.erase_words(masked, weight[1:-1])
    order, sigmoid = np.sort(weight[1:-1])[::-1], lambda v: 1 / (1 + np.exp(-v))
    counts = [max(round(share * 12), 1) for share in erasure.SHARES]
    assert without == pytest.approx([sigmoid(4.5) - sigmoid(4.5 - order[:n].sum()) for n in counts], abs=1e-6)
    assert alone == pytest.approx([sigmoid(4.5) - sigmoid(order[:n].sum()) for n in counts], abs=1e-6)


def test_copies_are_those_of_the_seed() -> None:
    model, weight = linear.text(EFFECTS)
    masked = linear.mask(model, {"text": linear.TEXT}, count=1)
    copies = erasure.draw_copies(masked, weight[1:-1])
    assert copies.shape == (erasure.COPIES, 12)
    assert np.array_equal(copies, erasure.draw_copies(masked, weight[1:-1]))
    assert np.array_equal(np.sort(copies, 1), np.sort(weight[1:-1])[None].repeat(len(copies), 0))
