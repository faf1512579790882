"""The words of a drawing in tables and small multiples."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.viz.pages.diffusion.cases import SETTLED
from tests.viz.paintings import WORDS, drawing
from tests.viz.reading import text_of
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


def test_the_browser_gets_words_stages_and_parts_of_a_drawing() -> None:
    told = word_map_view.panel("a", "k" * 64, drawing(3))
    assert told["title"] == "“a red circle above a blue square”, seed 3"
    assert told["words"] == list(WORDS)
    assert told["ids"] == ["a", "red", "circle", "above", "a~2", "blue", "square"]
    assert [WORDS[i] for i in told["content"]] == ["red", "circle", "blue", "square"]
    assert told["size"] == [64, 64]
    assert told["stages"] == [1, 2, 3, 4]
    assert told["parts"] == {"all": [], "steps": ["1", "2", "3", "4"], "layer": ["down 0", "up 0"]}


def test_small_multiples_share_the_scale_they_are_given() -> None:
    one, two = drawing(1), drawing(2)
    high = word_map_view.highest([one, two], "layer")
    assert high == pytest.approx(max(float(r.arrays["by_layer"].max()) for r in (one, two)))
    made = word_map_view.small_multiples("x", "k" * 64, one, "layer", high)
    assert made is not None
    assert made["scale"] == [0.0, high]
    assert made["titles"] == ["word", "layer"]
    assert made["map"] == f"/maps/{'k' * 64}/by_layer/sprite?cell=64&sqrt=0&sink=1"
    assert word_map_view.small_multiples("x", "k" * 64, one, "head", 1.0) is None
    assert word_map_view.highest([one], "head") == 1.0  # a scale that draws nothing still has two ends


def test_overlaps_of_masks_are_told_in_numbers_or_as_empty() -> None:
    result = drawing()
    found = np.zeros((7, 64, 64), bool)
    found[1, :32], found[2, 16:32] = True, True  # the circle's mask lies within that of red, which is twice as large
    cells = {c.title for c in word_map_view.overlap_table(result, found, "iou")._traverse() if type(c).__name__ == "Td"
             and getattr(c, "title", None)}  # fmt: skip
    assert "red and circle, adjective: 0.500" in cells
    assert "blue and square, adjective: a mask is empty" in cells
    listed = text_of(word_map_view.pair_list(result, found))
    assert "red → circle" in listed
    assert "1.00" in listed
    none = dataclasses.replace(result, labels={**result.labels, "word": ("a",) * 7})
    assert "No two words of this prompt belong together" in text_of(word_map_view.pair_list(none, found))


@pytest.mark.parametrize(("colour", "told"), [("rgb(68, 1.0, 84)", "#440154"), ("#fde725", "#fde725")])
def test_a_colour_is_told_as_six_digits(colour: str, told: str) -> None:
    assert word_map_view.theme_hex(colour) == told


def test_controls_stand_as_the_link_left_them_and_nonsense_is_passed_over() -> None:
    link = {"show": "mask", "threshold": "0.25", "grey": "0", "part": "layer", "first": "3", "scale": "<b>"}
    made = {
        p.id: p.value
        for row in word_map_view.controls(link)
        for p in row._traverse()
        if getattr(p, "id", None) and hasattr(p, "value")
    }
    assert made["diffusion-show"] == "mask"
    assert made["diffusion-threshold"] == 0.25
    assert made["diffusion-grey"] is False
    assert (made["diffusion-part"], made["diffusion-layer"]) == ("layer", 3)
    assert (made["diffusion-scale"], made["diffusion-opacity"]) == ("common", 0.85)
