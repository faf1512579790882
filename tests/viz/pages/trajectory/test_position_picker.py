"""The position that is looked at, and its name."""

from __future__ import annotations

from tests.viz.pages.trajectory.cases import LM, lens
from viz.pages.trajectory import position_picker


def test_positions_are_named_and_out_of_range_falls_back() -> None:
    options = position_picker.position_options(lens([1, 1]), LM)
    assert options[0] == {"label": "where it answers: 1 “·to”", "value": "auto"}
    assert [o["value"] for o in options] == ["auto", "0", "1"]
    assert position_picker.place("9", lens([1, 1]), LM) == 1
    assert position_picker.place("0", lens([1, 1]), LM) == 0


def test_a_position_that_is_not_there_is_told() -> None:
    said = position_picker.no_position("99", lens([1, 1]), LM)
    assert said == "There is no position '99' here, positions go from 0 to 1: where it answers is shown."
    assert position_picker.no_position("1", lens([1, 1]), LM) == ""
    assert position_picker.no_position("auto", lens([1, 1]), LM) == ""
