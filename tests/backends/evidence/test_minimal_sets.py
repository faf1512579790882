"""The smallest sets that flip an answer, or that suffice for it."""

from __future__ import annotations

import numpy as np
import pytest

from backends.evidence import minimal_sets


def test_the_smallest_set_that_flips() -> None:
    effect = np.array([0.4, 3.0, 2.0, 1.0, -1.0])

    def ahead(total: float) -> minimal_sets.Answers:
        return lambda hidden: total - hidden @ effect

    assert minimal_sets.find_flipping_set(effect, ahead(2.5)).parts == (1,)
    two = minimal_sets.find_flipping_set(effect, ahead(4.5))
    assert (two.parts, two.flips, two.margin) == ((1, 2), True, pytest.approx(-0.5))
    assert minimal_sets.find_flipping_set(effect, ahead(5.5)).parts == (1, 2, 3)
    never = minimal_sets.find_flipping_set(effect, ahead(50.0))
    assert not never.flips
    assert never.plain()["margin"] == pytest.approx(43.6)


def test_the_smallest_set_that_suffices() -> None:
    effect = np.array([0.4, 3.0, 2.0, 1.0])
    found = minimal_sets.find_sufficient_set(effect, lambda hidden: (~hidden) @ effect - 4.5)
    assert (found.parts, found.flips, found.margin) == ((1, 2), True, pytest.approx(0.5))
