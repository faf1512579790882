"""The pointing game, and what several largest values count."""

from __future__ import annotations

import numpy as np

from backends.evidence.measures import pointing


def test_the_largest_value_points_and_equals_share() -> None:
    region = np.array([True, True, False, False])
    maps = np.array([[9.0, 1, 2, 3], [1, 2, 9, 3], [9, 1, 9, 3], [1, 1, 1, 1]])
    assert pointing.compute(maps, region).tolist() == [1.0, 0.0, 0.5, 0.5]
