"""The table's columns and rows, its filters, and how well the model does in words."""

from __future__ import annotations

from typing import Any

from backends.jobs.table_statistics import summary
from tests.viz.fakes import FILM, TRIAGE, FakeEngine
from tests.viz.reading import links_of, text_of
from tests.viz.tables import grid
from viz.pages.data import page as data
from viz.pages.data import table_view
from viz.pages.data.table_view import ANY


def test_what_is_said_of_a_table(engine: FakeEngine, table: dict[str, Any], key: str) -> None:
    found = engine.store.get_document(key)["summary"]
    said = text_of(table_view.headline(found))
    assert "2 of 3 rows" in said
    assert "accuracy  66.7 %" in said
    assert "(95 % interval 20.8 to 93.9 %, Wilson, n = 3)" in said
    assert table_view.remarks(found)[0].startswith("1 row with a label that the model has no class for: “maybe” (1);")
    assert "urgent" in text_of(table_view.by_class(found))
    none = summary([{"label": None, "predicted": "a", "right": None}], ["a"])
    assert "so there is no accuracy" in text_of(table_view.headline(none))
    assert "4 texts , 4 labels" in text_of(data.noted(table)).replace("texts,", "texts ,")


def test_filters_keep_what_they_say(engine: FakeEngine, key: str) -> None:
    rows = grid(engine, key)

    def kept(**filters: str) -> list[int]:
        return [row["n"] for row in rows if table_view.matches(row, **filters)]

    assert kept() == [1, 2, 3, 4]
    assert kept(label="urgent", predicted="soon") == [2]
    assert kept(outcome="wrong") == [2]
    assert kept(outcome="right") == [1, 3]
    assert kept(outcome="failed") == [4]
    assert kept(outcome="unlabelled") == []
    assert kept(find="PAIN severe") == [2]
    assert data.filter_field(rows, "label", "urgent")[1] == "urgent"
    assert data.filter_field(rows, "label", "gone")[1] == ANY


def test_columns_are_those_that_some_row_fills(engine: FakeEngine, key: str) -> None:
    rows = grid(engine, key)
    names = [c["field"] for c in table_view.columns(TRIAGE, "text", rows)]
    assert names == ["n", "text", "label", "predicted", "probability", "outcome", "problem", "doors"]
    bare = [{**row, "label": None, "outcome": "", "problem": ""} for row in rows]
    names = [c["field"] for c in table_view.columns(FILM, "image", bare, "occlusion")]
    assert names == ["n", "digest", "name", "predicted", "probability", "swept", "doors"]


def test_a_row_opens_in_every_page(engine: FakeEngine, key: str) -> None:
    given = data.both(engine, key)[0]["rows"]
    panel = table_view.row_panel(TRIAGE, grid(engine, key)[1], given[1], "occlusion")
    links = [link for part in panel if hasattr(part, "_traverse") for link in links_of(part)]
    assert "/attention?model=bundled%2Ftriage&text=severe+pain" in links
    assert "/attribution?model=bundled%2Ftriage&text=severe+pain&methods=occlusion" in links
    assert "Label:  urgent" in text_of(panel)
