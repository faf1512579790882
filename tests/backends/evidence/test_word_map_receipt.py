"""A word's receipt: the picture without the word changes under its map, or the map says nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import backends
from backends.errors import Cancelled, Refused
from backends.evidence import receipt, word_map_receipt
from backends.results import Result


def blob(row: int, column: int, side: int = 32) -> np.ndarray:
    made = np.zeros((side, side))
    made[row, column] = 1.0
    return gaussian_filter(made, 3, mode="nearest")


def told(heat: np.ndarray, change: np.ndarray, other: np.ndarray | None = None) -> tuple[list[str], str]:
    lines = word_map_receipt.make_lines(heat, change, np.zeros_like(change) if other is None else other, "red", "blue")
    assert [line.name for line in lines] == ["without it", "whole map", "another word"]
    return [line.verdict for line in lines], word_map_receipt.decide(lines)[0]


def test_a_change_under_the_map_holds_and_one_elsewhere_fails() -> None:
    change = 4000 * blob(8, 8)
    assert told(blob(8, 8), change) == (["holds", "holds", "holds"], "holds")
    assert told(blob(24, 22), change)[1] == "fails"
    assert told(blob(8, 8), change, other=change)[1] == "cannot tell"  # any change of the prompt does it


def test_the_number_is_the_mean_change_of_the_brightest_tenth() -> None:
    heat, change = blob(8, 8), np.random.default_rng(0).random((32, 32)) * 100
    line = word_map_receipt.make_lines(heat, change, change, "red", "blue")[0]
    bright = np.argsort(-heat.ravel())[: round(0.1 * heat.size)]
    assert line.value == pytest.approx(change.ravel()[bright].mean(), rel=0.02)  # ties at the edge
    assert line.sentence.startswith(f"Drawn again without “red”, the picture changes by {line.value:.0f} of 255")


def test_a_word_without_effect_tells_nothing() -> None:
    verdicts, overall = told(blob(8, 8), np.full((32, 32), 0.5))
    assert verdicts == ["cannot tell"] * 3
    assert overall == "cannot tell"


def test_a_prompt_without_a_word() -> None:
    assert word_map_receipt.remove_span("a red circle, above a square", (2, 5)) == "a circle, above a square"
    assert word_map_receipt.remove_span("red circle", (4, 10)) == "red"
    assert word_map_receipt.remove_span("one, two", (5, 8)) == "one"


@pytest.fixture(scope="module")
def drawing() -> tuple[backends.models.base.Model, Result]:
    model = backends.open_model("bundled/scenes")
    return model, backends.run(model, "daam", "a red circle above a blue square", steps=12, seed=3)


def test_on_a_trained_pipeline(drawing: tuple) -> None:
    model, result = drawing
    made = receipt(model, result, word="red")
    assert made.verdict == "holds", made
    assert made.lines[0].value > 5 * made.lines[2].value
    assert made.facts["target"] == "red"
    assert made.facts["forwards"] == 24
    assert receipt(model, result, word="red").lines == made.lines
    heat = result.arrays["heat"].copy()
    heat[result.labels["word"].index("red")] = heat[result.labels["word"].index("blue")]
    swapped = dataclasses.replace(result, arrays={**result.arrays, "heat": heat})
    assert receipt(model, swapped, word="red").verdict == "fails"
    assert receipt(model, result).facts["word"] == word_map_receipt.choose_word(result, None)


def test_what_is_refused_and_cancelled(drawing: tuple) -> None:
    model, result = drawing
    with pytest.raises(Refused, match="the prompt has no word 'green'; it has: a, red, circle, above, a, blue, square"):
        receipt(model, result, word="green")
    with pytest.raises(Refused, match="no word '99'"):
        receipt(model, result, word=99)
    alone = backends.run(model, "daam", "circle", steps=2)
    with pytest.raises(Refused, match="a single word"):
        receipt(model, alone)

    def stop(fraction: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        receipt(model, result, word="red", step=stop)
