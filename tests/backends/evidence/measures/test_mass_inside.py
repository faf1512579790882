"""Mass inside: only what speaks for the answer counts."""

from __future__ import annotations

import numpy as np
import pytest

from backends.evidence.measures import mass_inside


def test_values_below_zero_have_no_mass() -> None:
    region = np.array([True, True, False, False])
    maps = np.array([[1.0, 2, 1, 0], [1, -5, 3, -9], [-1, -1, -1, -1]])
    assert mass_inside.compute(maps, region) == pytest.approx([0.75, 0.25, 0.0])
