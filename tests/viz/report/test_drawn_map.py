"""Maps drawn without a browser: every word in its colour, values over the image clear at zero, the truth on it."""

from __future__ import annotations

import dataclasses
import re

import numpy as np

from tests.viz import paintings, samples
from viz import theme
from viz.report import case, drawn_map, svg


def texts(markup: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", markup)


def test_each_word_stands_in_its_box() -> None:
    result = samples.text_attribution()
    drawing = drawn_map.text_map(result, 800)
    assert texts(drawing.markup) == ["[CLS]", *samples.SENTENCE.split()]
    assert drawing.markup.count("textLength") == 9  # so that no font can push it out
    strongest = theme.value_colours(np.array([-1.0, 1.0]), -1, 1, "blue-white-red")
    assert sum(colour in drawing.markup for colour in strongest) == 1


def test_the_words_that_decide_are_underlined() -> None:
    at = samples.SENTENCE.index("chest")
    plain, marked = (
        drawn_map.text_map(samples.text_attribution(), 800, spans=s).markup for s in ([], [(at, at + 5, "")])
    )
    assert marked.count(drawn_map.TRUTH) == 1
    assert drawn_map.TRUTH not in plain


def test_a_text_from_right_to_left_runs_so() -> None:
    drawing = drawn_map.text_map(samples.text_attribution(("שלום", "עולם")), 800)
    places = [float(x) for x in re.findall(r'<text x="([\d.]+)"', drawing.markup)]
    assert places == sorted(places, reverse=True)


def test_a_long_text_says_how_much_more_there_is() -> None:
    drawing = drawn_map.text_map(samples.text_attribution(tuple(f"word{i}" for i in range(900))), 800, most_lines=5)
    assert re.search(r"… and \d+ more pieces", drawing.markup)
    assert drawing.height < 220


def test_a_line_end_and_a_word_without_end_are_broken() -> None:
    drawing = drawn_map.text_map(samples.text_attribution(("a\nb", "x" * 300)), 400)
    assert all(float(x) < 400 for x in re.findall(r'<text x="([\d.]+)"', drawing.markup))
    assert "".join(texts(drawing.markup)).count("x") == 300


def test_over_an_image_zero_is_clear_and_the_ends_are_not() -> None:
    result = samples.image_attribution(16)
    made = case.make(result, view=case.View(scale=(-1, 1), opacity=0.5))
    values = np.array([[0.0, 1.0], [-1.0, 5.0]], np.float32)
    codes, palette = drawn_map.coloured(values, made)
    assert np.abs(palette[codes][..., 3].astype(int) - [[0, 128], [128, 128]]).max() <= 1
    hidden = case.make(result, view=case.View(scale=(-1, 1), threshold=0.5))
    codes, palette = drawn_map.coloured(np.array([[0.4, 0.6, -0.4, -0.6]], np.float32), hidden)
    assert (palette[codes][0, :, 3] > 0).tolist() == [False, True, False, True]
    bent = case.make(result, view=case.View(scale=(-1, 1), stretch="log", opacity=1))
    codes, palette = drawn_map.coloured(np.array([[0.01, -0.01]], np.float32), bent)
    assert np.abs(palette[codes][0, :, 3] / 255 - np.log1p(0.99) / np.log1p(99)).max() < 0.01


def test_a_large_noisy_map_over_a_photograph_stays_small() -> None:
    chance = np.random.default_rng(0)
    pixels = chance.integers(0, 255, (600, 900, 3), dtype=np.uint8)
    large = samples.image_attribution(16)
    arrays = {"attribution": chance.normal(size=(600, 900)).astype(np.float32), "image": pixels}
    made = case.make(dataclasses.replace(large, arrays=arrays))
    assert len(drawn_map.draw(made, 800).markup) < 500_000
    assert drawn_map.draw(made, 800).markup.count("data:image/jpeg") == 1  # the picture stands there once


def test_input_and_map_stand_side_by_side_with_the_truth_on_both() -> None:
    made = case.make(samples.image_attribution())._replace(truth=samples.truth(), truth_name="nodule")
    drawing = drawn_map.draw(made, 800)
    assert drawing.markup.count(theme.GROUND_TRUTH) == 2
    assert {"Input", "Map"} <= set(texts(drawing.markup))
    assert "green outline: the nodule (known truth)" in " ".join(texts(drawing.markup))
    assert "clear says nothing" in " ".join(texts(drawing.markup))


def test_a_map_without_its_image_stands_alone() -> None:
    result = samples.image_attribution(16)
    bare = dataclasses.replace(
        result, arrays={"attribution": result.arrays["attribution"]}, axes={"attribution": ("height", "width")}
    )
    drawing = drawn_map.draw(case.make(bare), 800)
    assert "Input" not in texts(drawing.markup)
    assert svg.document(drawing, "x").count("<image") == 2  # map and legend


def test_a_drawing_shows_the_words_that_name_something() -> None:
    result = paintings.drawing()
    assert drawn_map.places_words(result)
    told = texts(drawn_map.word_maps(result, 800).markup)
    assert told[:5] == ["the drawing", "red", "circle", "blue", "square"]
    assert not drawn_map.places_words(samples.text_attribution())
