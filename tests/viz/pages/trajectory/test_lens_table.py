"""The logit lens as a table of words."""

from __future__ import annotations

import pytest

from tests.viz.pages.trajectory.cases import lens
from viz.pages.trajectory import lens_table


def test_table_has_the_last_layer_on_top_and_words_as_text() -> None:
    shown = lens_table.table(lens([2, 1, 1]), "probability", 1)
    assert [row["layer"] for row in shown["rows"]] == ["2", "1", "input"]
    assert shown["columns"][1] == {"token": "·to", "position": 1}
    cell = shown["rows"][0]["cells"][0]
    assert cell["word"] == "·Mary"
    assert cell["best"] == [["·Mary", 0.6], ["<b>John</b>", 0.3]]
    assert (shown["low"], shown["high"]) == (0.0, 1.0)
    assert lens_table.table(lens([2, 1]), "kl", 1)["unit"] == "nat"


@pytest.mark.parametrize(("at", "first"), [(99, 76), (80, 76), (50, 38), (0, 0), (5, 0)])
def test_table_shows_a_window_with_the_position_in_it(at: int, first: int) -> None:
    shown = lens_table.window(100, at)
    assert (shown.start, len(shown)) == (first, 24)
    assert at in shown
    assert lens_table.window(10, 3) == range(10)
