"""The data page: its callbacks' logic as functions, over a store and no worker."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.errors import Refused
from backends.inputs import datasets
from backends.jobs.table_statistics import summary
from backends.requests import MOST_ROWS
from backends.results import Result
from tests.viz.fakes import FILM, TRIAGE, FakeEngine
from tests.viz.pages.test_gallery import links_of, text_of
from viz.pages.data import method_over_rows, table_view
from viz.pages.data import page as data
from viz.pages.data.table_view import ANY

CSV = b"text,label,note\nno fever,routine,x\nsevere pain,urgent,y\n=1+1,soon,z\nwhat,maybe,\n"
ANSWERS = [("routine", 0.9, "routine"), ("soon", 0.6, "urgent"), ("soon", 0.8, "soon"), ("soon", 0.5, None)]


@pytest.fixture
def table(engine: FakeEngine) -> dict[str, Any]:
    """A table of texts in the store, as the page keeps it."""
    return data.described(engine, datasets.keep(engine.store, datasets.open_files([("x.csv", CSV)])))


@pytest.fixture
def key(engine: FakeEngine, table: dict[str, Any]) -> str:
    """The key of its answers."""
    given = datasets.fetch(engine.store, table["id"])["rows"]
    rows = [
        {
            "predicted": said, "probability": p, "label": label or g["label"], "of_label": None,
            "right": None if label is None else label == said, "problem": "" if label else "no class 'maybe'",
        }
        for g, (said, p, label) in zip(given, ANSWERS, strict=True)
    ]  # fmt: skip
    answers = {"rows": rows, "summary": summary(rows, TRIAGE["labels"])}
    engine.store.put_document("a" * 64, {"model": "bundled/triage", "data": table["id"], **answers})
    return "a" * 64


def grid(engine: FakeEngine, key: str) -> list[dict[str, Any]]:
    given, answers = data.both(engine, key)
    return table_view.grid_rows(given["rows"], answers["rows"])


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


def words(engine: FakeEngine, table: dict[str, Any]) -> Result:
    """What a method over the table gave, with one row kept."""
    one = Result(
        "occlusion", {"attribution": np.array([0.0, 1.0, -0.5], np.float32)}, {"attribution": ("token",)},
        {"token": ("[CLS]", "no", "fever")}, "logit", True, "routine", {}, {"input": None, "model": "m"},
    )  # fmt: skip
    engine.store.put_result("c" * 64, one)
    facts = {
        "mean_of": 1,
        "keys": {"0": "c" * 64},
        "problems": {"3": "too long"},
        "tops": {"0": [["no", 1.0], ["fever", -0.5]]},
    }
    arrays = {"mean": np.array([1.0, -0.5], np.float32), "count": np.array([1, 1]), "rows": np.array([1, 1])}
    return Result(
        "occlusion", arrays, dict.fromkeys(arrays, ("word",)), {"word": ("no", "=fever")}, "logit", True,
        "each row's own answer", facts, {"data": table["id"], "model": "m"},
    )  # fmt: skip


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


def test_routes_of_the_table(engine: FakeEngine, table: dict[str, Any], key: str, tmp_path: Path) -> None:
    import io
    import zipfile

    from flask import Flask

    from viz.server import table_downloads as routes

    app = Flask("x")
    app.register_blueprint(routes.blueprint(engine.store))
    client = app.test_client()
    lines = client.get(f"/tables/{key}/csv").get_data(as_text=True).splitlines()
    assert lines[0] == "\ufeffrow,name,text,label,predicted,probability,right,problem,input"
    assert lines[3].startswith("3,line 4,'=1+1,soon,soon,0.8,true")  # no spreadsheet takes it for a formula
    found = client.get(f"/tables/{key}/json").get_json()
    assert found["rows"][1]["right"] is False
    assert client.get("/tables/nonsense/csv").status_code == 404
    assert client.get(f"/tables/{'9' * 64}/csv").status_code == 400
    engine.store.put_result("b" * 64, words(engine, table))
    archive = zipfile.ZipFile(io.BytesIO(client.get(f"/tables/{'b' * 64}/zip").data))
    assert sorted(archive.namelist()) == ["about.json", "rows/00001.json", "words.csv"]
    assert json.loads(archive.read("about.json"))["problems"] == {"4": "too long"}
    assert "'=fever" in archive.read("words.csv").decode()
    for kind in ("csv", "json"):
        of_no_table = client.get(f"/tables/{table['id']}/{kind}")
        assert (of_no_table.status_code, of_no_table.text) == (
            404,
            "there is no such table here; open the page again\n",
        )
    of_no_map = client.get(f"/tables/{'b' * 64}/map")
    assert (of_no_map.status_code, of_no_map.text) == (404, "this result holds no map of its input\n")
    assert b"this row is a text" in client.get(f"/tables/{'c' * 64}/map").data
    assert b"there is no such table here" in client.get(f"/tables/{'c' * 64}/zip").data


def test_the_map_of_a_row_is_a_small_picture() -> None:
    import io

    from PIL import Image

    from viz.server.table_downloads import thumbnail

    values = np.zeros((8, 16), np.float32)
    values[:, 8:] = 1
    arrays = {"attribution": values, "image": np.full((8, 16, 3), 128, np.uint8)}
    axes = {"attribution": ("height", "width"), "image": ("height", "width", "channel")}
    picture = Image.open(io.BytesIO(thumbnail(Result("occlusion", arrays, axes, signed=True))))
    assert picture.size == (96, 48)
    assert picture.getpixel((10, 20)) == (128, 128, 128)  # zero is clear
    red, green, blue = picture.getpixel((80, 20))
    assert red > green
    assert red > blue
