"""A method over the rows of a table: which rows, its request and its pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.errors import Refused
from backends.requests import MOST_ROWS
from backends.results import Result
from tests.viz.fakes import TRIAGE, FakeEngine
from tests.viz.reading import text_of
from tests.viz.tables import grid, words
from viz.pages.data import method_over_rows, table_view
from viz.pages.data.table_view import ANY


def test_the_method_goes_over_the_rows_that_are_asked_for(engine: FakeEngine, table: dict[str, Any], key: str) -> None:
    rows = grid(engine, key)
    nothing = (ANY, ANY, ANY, "")
    assert method_over_rows.over_rows(rows, "all", *nothing) == ([0, 1, 2, 3], "")
    assert method_over_rows.over_rows(rows, "wrong", *nothing)[0] == [1]
    assert method_over_rows.over_rows(rows, "shown", "soon", ANY, ANY, "")[0] == [2]
    with pytest.raises(Refused, match="there is no row to compute: none is among the rows that the filters show"):
        method_over_rows.over_rows(rows, "shown", "x", ANY, ANY, "")
    many = [{**rows[0], "n": i} for i in range(1, 1201)]
    kept, why = method_over_rows.over_rows(many, "all", *nothing)
    assert len(kept) == MOST_ROWS
    assert why.startswith("500 of 1,200 rows, spread evenly")


def test_the_methods_request(table: dict[str, Any]) -> None:
    request = method_over_rows.sweep_request(TRIAGE, table, "occlusion", {}, "class:urgent", [0])
    assert (request["aim"], request["rows"], request["data"]) == ("class:urgent", [0], table["id"])
    with pytest.raises(Refused, match="bundled/triage has no method 'logit_lens' for this; choose one of the list"):
        method_over_rows.sweep_request(TRIAGE, table, "logit_lens", {}, "own", [0])
    with pytest.raises(Refused, match="'class:dog' cannot be explained here; choose one of the list"):
        method_over_rows.sweep_request(TRIAGE, table, "occlusion", {}, "class:dog", [0])


def test_words_over_the_table(engine: FakeEngine, table: dict[str, Any]) -> None:
    result = words(engine, table)
    assert table_view.swept(result) == {"0": "no +1.00, fever −0.50"}
    said = text_of(method_over_rows.said_of(result, "b" * 64, 4))
    assert "mean of 1 of 4 rows, in logit" in said
    assert "Row 4: too long" in said
    hidden, spec, shown, beside = method_over_rows.pictures(result, "b" * 64, dark=True)
    assert (hidden, spec) == ("d-none", None)
    assert list(shown[0].figure.data[0].x) == [1.0, -0.5]
    assert "mean attribution (logit)" in shown[0].figure.layout.xaxis.title.text
    assert "−0.5000" in text_of(beside)


def test_a_map_over_the_table() -> None:
    facts = {"mean_of": 2, "keys": {"0": "c" * 64, "5": "d" * 64}, "problems": {}, "tops": {}}
    arrays = {"attribution": np.zeros((8, 8), np.float32), "image": np.zeros((8, 8, 3), np.uint8)}
    axes = {"attribution": ("height", "width"), "image": ("height", "width", "channel")}
    result = Result("occlusion", arrays, axes, {}, "logit", True, "x", facts, {"data": "", "model": "m"})
    assert table_view.swept(result) == facts["keys"]
    shown, spec, *_ = method_over_rows.pictures(result, "b" * 64, dark=False)
    assert shown == ""
    assert spec["map"].startswith(f"/maps/{'b' * 64}/attribution")
