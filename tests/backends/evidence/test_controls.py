"""Copies of a map: its values moved, never the map itself, and not too many."""

from __future__ import annotations

import numpy as np
import pytest

from backends.evidence import controls
from backends.evidence.controls import copy_map, list_copy_orders, p_value


@pytest.mark.parametrize("shape", [(16, 16), (8, 12), (7,)])
def test_copies_keep_every_value_and_are_not_the_map(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).standard_normal(int(np.prod(shape)))
    made = copy_map(values, shape)
    assert np.array_equal(np.sort(made, 1), np.sort(values)[None].repeat(len(made), 0))
    assert not (made == values).all(1).any()
    assert len(made) == {(16, 16): 511, (8, 12): 255}.get(shape, len(made))
    assert np.array_equal(list_copy_orders(shape, 3), list_copy_orders(shape, 3))


def test_copies_of_a_long_text_do_not_grow_with_its_square() -> None:

    made = controls.list_copy_orders((3000,), 0)
    assert made.shape == (controls.MOST, 3000)
    assert (np.sort(made, 1) == np.arange(3000)).all()


def test_rank_counts_the_map_itself() -> None:
    assert p_value(1.0, np.array([0.0, 1.0, 2.0])) == pytest.approx(0.75)
    assert p_value(3.0, np.zeros(99)) == pytest.approx(0.01)
