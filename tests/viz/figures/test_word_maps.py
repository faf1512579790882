"""Maps of parts, masks, overlaps, pairs, and what is true of a drawn scene."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from backends.errors import Refused
from tests.viz.paintings import WORDS, drawing
from viz import figures
from viz.figures import word_maps
from viz.figures.word_maps import Part


def test_all_steps_together_are_the_whole() -> None:
    result = drawing()
    np.testing.assert_allclose(word_maps.maps_of(result, Part("steps", 0, 3)), result.arrays["map"], rtol=1e-5)
    np.testing.assert_allclose(word_maps.maps_of(result, Part("steps", 1, 2)), result.arrays["map"] / 2, rtol=1e-5)
    np.testing.assert_array_equal(word_maps.maps_of(result, Part("layer", 1)), result.arrays["by_layer"][:, 1])
    assert word_maps.told(result, Part("steps", 1, 2)) == "steps 2 to 3"
    assert word_maps.told(result, Part("layer", 1)) == "layer up 0"
    assert word_maps.told(result, Part()) == "all layers, steps 1 to 4"
    assert list(word_maps.kinds(result)) == ["all", "steps", "layer"]


def test_a_part_that_is_not_there_is_refused() -> None:
    with pytest.raises(Refused, match="kept no maps of one head; draw it again"):
        word_maps.maps_of(drawing(), Part("head", 0))
    with pytest.raises(Refused, match="step counts from 0 to 3"):
        word_maps.maps_of(drawing(), Part("steps", 2, 4))
    with pytest.raises(Refused, match="layer counts from 0 to 1"):
        word_maps.maps_of(drawing(), Part("layer", 2))


def test_a_query_that_cannot_be_read_is_all_of_it() -> None:
    assert word_maps.part_of({"part": "steps", "first": "2", "last": "3"}) == Part("steps", 2, 3)
    assert word_maps.part_of({"part": "../etc", "first": "-1", "last": "9" * 20}) == Part("all", 0, 0)


def test_large_maps_travel_as_means_of_blocks() -> None:
    maps = np.arange(2 * 100 * 130, dtype=np.float32).reshape(2, 100, 130)
    small = word_maps.pooled(maps, 50)
    assert small.shape == (2, 34, 44)
    np.testing.assert_allclose(small[1, 0, 0], maps[1, :3, :3].mean())
    np.testing.assert_allclose(small[0, -1, -1], maps[0, 99:, 129:].mean())
    assert word_maps.pooled(maps, 130) is maps


def test_masks_of_a_words_own_range_and_of_the_largest_value() -> None:
    maps = np.zeros((3, 1, 4), np.float32)
    maps[0, 0], maps[1, 0], maps[2, 0] = (1, 2, 3, 5), (0, 0.1, 0.2, 1), 7
    own = word_maps.masks(maps, 0.4)
    assert own[0, 0].tolist() == [False, False, True, True]  # above 1 + 0.4 · 4
    assert own[1, 0].tolist() == [False, False, False, True]
    assert not own[2].any()  # the same everywhere: it landed nowhere in particular
    common = word_maps.masks(maps, 0.4, "common")
    assert common[0, 0].tolist() == [False, False, True, True]  # above 0.4 · 7
    assert not common[1].any()
    assert common[2].all()


def test_overlaps_by_hand() -> None:
    found = np.array([[1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 0, 0]], bool)
    iou, directed = word_maps.overlaps(found)
    assert iou[0, 1] == pytest.approx(2 / 4)
    assert directed[0, 1] == pytest.approx(2 / 3)
    assert iou[0, 0] == directed[1, 1] == 1
    assert directed[0, 2] == 0
    assert np.isnan(directed[2]).all()


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("a red cat above a blue hat", ["red>cat adjective", "blue>hat adjective", "hat>cat noun–noun"]),
        ("big red ball", ["big>ball adjective", "red>ball adjective"]),
        ("a coffee cup on the wooden table", ["coffee>cup compound", "wooden>table adjective", "table>cup noun–noun"]),
        ("a cat sitting on a mat", ["mat>cat noun–noun"]),
        ("a colourful zebra , a giraffe", ["colourful>zebra adjective"]),
        ("above the", []),
    ],
)  # fmt: skip
def test_pairs_follow_the_rule(prompt: str, wanted: list[str]) -> None:
    words = prompt.split()
    found = [f"{words[d]}>{words[h]} {relation}" for d, h, relation in word_maps.pairs(words)]
    assert sorted(found) == sorted(wanted)


def test_repeated_words_stay_apart() -> None:
    assert word_maps.known(WORDS) == ["a", "red", "circle", "above", "a~2", "blue", "square"]
    assert word_maps.content(WORDS) == [1, 2, 5, 6]


def test_what_was_drawn_is_known_of_bundled_scenes_only() -> None:
    true = word_maps.truth(drawing())
    assert sorted(true) == [1, 2, 5, 6]
    assert true[1] is true[2]
    assert word_maps.place(true[2].astype(float)) == "top"
    assert word_maps.place(true[6].astype(float)) == "bottom"
    assert word_maps.truth(drawing(model="org/other")) == {}
    blank = dataclasses.replace(drawing(), arrays={**drawing().arrays, "image": np.full((64, 64, 3), 235, np.uint8)})
    assert word_maps.truth(blank) == {1: None, 2: None, 5: None, 6: None}


def test_agreement_and_place() -> None:
    one, other = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    assert word_maps.agreement(one, other) == 0
    one[0, :2] = other[0, 1:3] = True
    assert word_maps.agreement(one, other) == pytest.approx(1 / 3)
    assert word_maps.place(one.astype(float)) == "top left"
    assert word_maps.place(np.zeros((2, 2))) == "nowhere"
    assert word_maps.place(np.ones((6, 6))) == "middle"


def test_enlarged_as_it_is_or_smooth() -> None:
    maps = drawing().arrays["map"]
    np.testing.assert_array_equal(word_maps.enlarged(maps, 64, 64, smooth=False), drawing().arrays["heat"])
    smooth = word_maps.enlarged(maps, 64, 64)
    assert smooth.min() >= 0
    assert np.unique(smooth[1]).size > np.unique(maps[1]).size


def test_the_figure_shows_the_picture_and_every_word() -> None:
    figure = figures.draw(drawing())
    assert [t.type for t in figure.data] == ["image"] + ["heatmap"] * len(WORDS)
    assert {t.coloraxis for t in figure.data[1:]} == {"coloraxis"}
    assert figure.layout.coloraxis.cmax == pytest.approx(float(drawing().arrays["map"].max()))
    np.testing.assert_array_equal(figure.data[3].z, drawing().arrays["map"][2])
    assert "attention is correlation" in figure.layout.title.subtitle.text
