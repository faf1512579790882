"""Cells: their size, how a map is read on them, and which are brightest."""

from __future__ import annotations

import numpy as np
import pytest

from backends.errors import Refused
from backends.evidence.cells import Cells, select_brightest
from tests.backends.evidence import linear


def test_large_pictures_have_at_most_64_places_a_side() -> None:
    model, _, _ = linear.picture()
    batch = model.encode({"image": np.zeros((224, 150, 3), np.uint8)})
    cells = Cells(batch)
    assert cells.shape == (56, 38)
    values = cells.read(np.arange(224.0)[:, None] * np.ones((1, 150)))
    assert values.reshape(56, 38)[8:-8, 0] == pytest.approx(np.arange(56)[8:-8] * 4 + 1.5)  # a plane survives a blur
    assert cells.spread(np.ones((2, cells.count), bool)).all()


def test_a_speckled_map_is_read_as_the_eye_sees_it_and_a_mask_as_it_is() -> None:
    model, _, _ = linear.picture()
    cells = Cells(model.encode({"image": np.zeros((64, 64, 3), np.uint8)}))
    speckles = np.random.default_rng(0).standard_normal((64, 64))
    assert cells.read(speckles).std() < 0.25
    assert cells.read(speckles).mean() == pytest.approx(speckles.mean(), abs=0.01)
    mask = np.zeros((64, 64))
    mask[20:30, 40:50] = 2.0
    assert np.array_equal(cells.read(mask), mask.ravel())


def test_maps_that_do_not_fit() -> None:
    model, image, exact = linear.picture()
    cells = Cells(model.encode({"image": image}))
    with pytest.raises(Refused, match=r"the map is \(3, 3\) but this input is \(16, 16\)"):
        cells.read(np.zeros((3, 3)))
    with pytest.raises(Refused, match="not finite"):
        cells.read(exact * np.nan)


def test_brightest_places_speak_for_the_answer() -> None:
    values = np.array([5.0, -9, 4, 3, 2, 1, 0, 0, 0, 0])
    assert np.flatnonzero(select_brightest(values, 0.2)).tolist() == [0, 2]
    assert not select_brightest(-np.abs(values), 0.2).any()
    assert select_brightest(np.array([1.0, 1, 1, 0, 0, 0, 0, 0, 0, 0]), 0.1).sum() == 3  # equals go together
    assert np.flatnonzero(select_brightest(np.array([3.0, 1, 1, 1, 0]), 0.4)).tolist() == [0]
    assert select_brightest(np.array([3.0, 1, 0, 0, 0]), 0.8).sum() == 2
