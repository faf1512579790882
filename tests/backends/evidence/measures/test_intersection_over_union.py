"""Intersection over union, counted cell by cell."""

from __future__ import annotations

import numpy as np
import pytest

from backends.evidence.measures import intersection_over_union


def test_it_is_that_of_the_two_sets() -> None:
    chance = np.random.default_rng(0)
    maps, region = chance.standard_normal((5, 40)), np.arange(40) < 12
    found = intersection_over_union.compute(maps, region)
    for values, value in zip(maps, found, strict=True):
        bright = np.zeros(40, bool)
        bright[np.argsort(-values)[:12]] = True
        assert value == pytest.approx((bright & region).sum() / (bright | region).sum())
