"""A grid's receipt: the same sweep with other corruptions shows the same places, or the grid says nothing."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import backends
from backends.bundled.data.names import sentences
from backends.errors import Refused
from backends.evidence import patching_receipt, receipt

GRID = np.zeros((4, 9), np.float32)
GRID[:2, 3] = 1.0
GRID[2:, 8] = 0.9
GRID[:, 5] = 0.1
GRID[1, 6] = -0.05


def told(own: np.ndarray, *others: np.ndarray) -> tuple[list[str], str]:
    lines = patching_receipt.make_lines(own, list(others))
    return [line.verdict for line in lines], patching_receipt.decide(lines)[0]


def test_the_same_grid_again_holds_and_another_fails() -> None:
    again = GRID + 0.02 * np.random.default_rng(0).standard_normal(GRID.shape)
    assert told(GRID, again, again) == (["holds", "holds"], "holds")
    turned = np.roll(GRID, 2, 1)
    assert told(GRID, turned, turned)[1] == "fails"
    assert told(GRID, np.abs(np.random.default_rng(1).standard_normal(GRID.shape)))[1] == "fails"


def test_the_number_is_the_mean_correlation_over_what_moves() -> None:
    other = GRID + 0.3 * np.random.default_rng(2).standard_normal(GRID.shape)
    line = patching_receipt.make_lines(GRID, [other, GRID])[0]
    assert line.value == pytest.approx((np.corrcoef(GRID.ravel(), other.ravel())[0, 1] + 1) / 2, abs=1e-6)


def test_a_grid_that_moves_in_few_columns_tells_nothing() -> None:
    bare = np.zeros((3, 5), np.float32)
    bare[:, 2] = 1.0
    assert told(bare, bare) == (["cannot tell"], "cannot tell")


@pytest.fixture(scope="module")
def patched() -> tuple[Any, dict[str, Any], Any]:
    model, one = backends.open_model("bundled/names"), sentences([77, 9], 2, "test")[1]
    raw = {"clean": {"text": one.clean}, "corrupted": {"text": one.corrupted}}
    return model, raw, backends.run(model, "activation_patching", raw, [one.answer, one.wrong])


def test_on_a_trained_model(patched: tuple) -> None:
    model, raw, result = patched
    made = receipt(model, result, raw)
    assert made.verdict == "holds", made
    assert made.facts["samples"] == patching_receipt.OTHERS
    assert made.facts["forwards"] > 0
    assert receipt(model, result, raw).lines == made.lines
    grid = result.arrays["effect"].copy()
    live = np.flatnonzero((grid != 0).any(0))
    grid[:, live] = np.roll(grid[:, live], 2, 1)
    planted = dataclasses.replace(result, arrays={**result.arrays, "effect": grid})
    assert receipt(model, planted, raw).verdict == "fails"


def test_other_corruptions_stand_at_the_same_places(patched: tuple) -> None:
    model, raw, _ = patched
    clean, first = (model.encode(raw[side]["text"]).inputs["input_ids"][0] for side in ("clean", "corrupted"))
    cells = (clean != first).nonzero()[:, 0].tolist()
    found = list(patching_receipt.draw_corruptions(model, raw, 0))
    assert len(found) >= 2
    for pair in found:
        ids = model.encode(pair["corrupted"]).inputs["input_ids"][0]
        assert (ids != clean).nonzero()[:, 0].tolist() == cells
        assert pair["clean"] == raw["clean"]


def test_patches_that_differ(fresh: Any, picture: np.ndarray) -> None:
    from backends.models import input_pair

    model = fresh("tiny_vit")
    first = model.encode({"image": picture}).first_patch
    other = input_pair.corrupt(model, {"image": picture}, "noise", [first + 1, first + 2])
    batch = input_pair.encode(model, {"clean": {"image": picture}, "corrupted": other})
    assert patching_receipt.find_changed_patches(batch) == (first + 1, first + 2)
    pairs = list(patching_receipt.draw_corruptions(model, {"clean": {"image": picture}, "corrupted": other}, 0))
    assert len(pairs) == patching_receipt.TRIES


def test_a_grid_without_a_pair_is_refused(patched: tuple) -> None:
    model, raw, result = patched
    with pytest.raises(Refused, match="activation_patching is tested with another corruption; give the clean and the"):
        receipt(model, result, raw["clean"])
