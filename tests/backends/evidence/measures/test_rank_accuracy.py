"""Rank accuracy where several cells are equally bright."""

from __future__ import annotations

import numpy as np
import pytest

from backends.evidence.measures import rank_accuracy


def test_equally_bright_places_are_not_taken_from_the_top() -> None:
    maps, region = np.zeros((1, 256)), np.zeros(256, bool)
    maps[0, 204], region[:16] = 1.0, True
    assert rank_accuracy.compute(maps, region)[0] == pytest.approx(15 * 16 / 255 / 16)
