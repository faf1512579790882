"""The data page: its callbacks' logic as functions, over a store and no worker."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from backends.errors import Refused
from backends.inputs import datasets
from tests.viz.fakes import FILM, TRIAGE, FakeEngine
from tests.viz.tables import CSV
from viz.pages.data import page as data
from viz.pages.data.table_view import ANY


def test_the_layout_restores_what_the_link_says() -> None:
    link = {"model": "bundled/radiograph", "data": "radiograph", "label": "lesion", "outcome": "wrong", "run": "1"}
    filters = json.dumps({"n": {"type": "lessThan", "filter": 5}, "evil": {}})
    page = data.layout(**link, method="occlusion", over="wrong", filter=filters, options="{]")
    by_id = {part.id: part for part in page._traverse_ids() if isinstance(part.id, str)}
    assert by_id["data-model"].value == "bundled/radiograph"
    assert by_id["data-label"].value == "lesion"
    assert by_id["data-outcome"].value == "wrong"
    assert by_id["data-over"].value == "wrong"
    assert by_id["data-linked"].data == {"data": "radiograph", "run": True}
    assert by_id["data-grid"].filterModel == {"n": {"type": "lessThan", "filter": 5}}
    assert data.layout(filter="[1]", outcome="nonsense", model=["x"])


def test_a_newcomer_sees_an_example_that_suits(engine: FakeEngine) -> None:
    assert data.first_table(engine, TRIAGE, None, "")["example"] == "triage"
    films = data.first_table(engine, FILM, None, "")
    assert (films["example"], films["kind"]) == ("radiograph", "image")
    own = data.described(engine, datasets.keep(engine.store, datasets.open_files([("x.csv", CSV)])))
    assert data.first_table(engine, TRIAGE, own, "") == own
    assert data.first_table(engine, TRIAGE, films, "")["example"] == "triage"
    assert data.first_table(engine, TRIAGE, None, own["id"]) == own
    with pytest.raises(Refused, match="the table of this link is not kept on this machine"):
        data.first_table(engine, TRIAGE, None, "0" * 64)


def test_the_job_and_why_there_is_none(engine: FakeEngine, table: dict[str, Any]) -> None:
    requests, why = data.asked(TRIAGE, table)
    assert why == ""
    assert requests["table"]["data"] == table["id"]
    requests, why = data.asked(FILM, table)
    assert requests == {}
    assert why == "x.csv holds texts and bundled/radiograph reads images: choose another model above, or other data"


def test_uploads_are_decoded(engine: FakeEngine) -> None:
    sent = "data:text/csv;base64," + base64.b64encode(CSV).decode()
    assert datasets.fetch(engine.store, data.uploaded(engine, [sent], ["x.csv"]))["name"] == "x.csv"
    with pytest.raises(Refused, match="the upload broke off; try again"):
        data.uploaded(engine, ["data:text/csv;base64,###"], ["x.csv"])


def test_columns_are_chosen_anew_only_when_they_differ(engine: FakeEngine, table: dict[str, Any]) -> None:
    assert data.rechosen(engine, table, "text", "label") is None
    other = data.rechosen(engine, table, "note", ANY)
    assert other is not None
    assert other["columns"] == ["note", ""]
    assert other["labels"] == []
    assert data.column_fields(other)[4] == ANY
    assert data.column_fields({})[0] == "column-row d-none"


def test_the_link(table: dict[str, Any]) -> None:
    view = {
        "label": "urgent",
        "predicted": ANY,
        "outcome": "wrong",
        "find": "pain",
        "method": "occlusion",
        "aim": "own",
        "over": "all",
    }
    params = data.link_view(TRIAGE, table, False, {}, {}, view)["params"]
    assert params == {
        "model": "bundled/triage", "data": table["id"], "label": "urgent", "outcome": "wrong", "find": "pain",
        "filter": {},
    }  # fmt: skip
    params = data.link_view(
        TRIAGE, {**table, "example": "triage"}, True, {"occlusion": {"baseline": "mask"}}, {}, view
    )["params"]
    assert (params["data"], params["run"], params["method"]) == ("triage", "1", "occlusion")
    assert params["options"] == {"baseline": "mask"}
    assert data.linked_options({"method": "occlusion", "options": json.dumps(params["options"])}) == {
        "occlusion": {"baseline": "mask"}
    }
