"""The words of a drawing in tables and small multiples."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.viz.pages.diffusion.cases import SETTLED
from tests.viz.pages.test_gallery import text_of
from tests.viz.paintings import drawing
from viz.pages.diffusion import word_map_view


def test_a_thing_that_was_not_drawn_counts_as_such() -> None:
    bare = drawing()
    blank = dataclasses.replace(bare, arrays={**bare.arrays, "image": np.full((64, 64, 3), 235, np.uint8)})
    large, found = word_map_view.maps_and_masks(blank, SETTLED)
    assert "its thing was not drawn" in text_of(word_map_view.words_table(blank, large, found))
    other = drawing(model="org/other")
    assert "IoU with its thing" not in text_of(
        word_map_view.words_table(other, *word_map_view.maps_and_masks(other, SETTLED))
    )
