"""The grid of effects as the browser draws it."""

from __future__ import annotations

import dataclasses

from tests.viz import causal_samples
from viz.pages.causal import effect_grid


def test_a_grid_is_drawn_from_its_numbers() -> None:
    result = causal_samples.grid()
    shown = effect_grid.of_result(result, "k" * 64)
    assert shown is not None
    assert shown["columns"][1] == "·Mary"
    assert shown["values"][0][3] == 1.0
    assert shown["ends"] == [-1.0, 1.0]
    assert not shown["filling"]
    assert shown["asked"] == "k" * 64
    assert "layer 0, “·John” (3): 1.00" in effect_grid.strongest(shown)
    other = dataclasses.replace(
        result,
        facts={**result.facts, "corrupted_tokens": [*causal_samples.WORDS[:3], " Sue", *causal_samples.WORDS[4:]]},
    )
    drawn = effect_grid.of_result(other, "k" * 64)
    assert drawn is not None
    assert drawn["other"] == ["", "", "", "·Sue", "", ""]
    assert effect_grid.of_result(causal_samples.changes(), "k") is None


def test_a_grid_that_fills_leaves_unknown_cells_open() -> None:
    shown = effect_grid.of_preview([[None, None], [0.5, -0.25]], "position", ["a", "b"], "share", None, "", None)
    assert shown["values"] == [[None, None], [0.5, -0.25]]
    assert shown["filling"]
    assert effect_grid.computed(shown) == (2, 4)
    assert shown["columns"] == ["a", "b"]
    assert effect_grid.of_preview([[0.5, 0.1, 0.2]], "head", ["a", "b", "c"], "share", None, "", None)["columns"] == [
        "0",
        "1",
        "2",
    ]


def test_patches_lie_on_the_picture() -> None:
    patches = {"grid": [2, 2], "first": 1}
    shown = effect_grid.of_preview([[None, 0.1, 0.2, 0.3, 0.4]], "position", [], "share", None, "/inputs/x", patches)
    assert shown["image"] == "/inputs/x"
    assert shown["columns"] == ["[CLS]", "r1 c1", "r1 c2", "r2 c1", "r2 c2"]
    heads = effect_grid.of_preview([[0.1, 0.2]], "head", [], "share", None, "/inputs/x", patches)
    assert heads["image"] == ""
