"""What the data page gives away: tables, every row's values, and maps in small."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
import pytest
from flask import Flask
from PIL import Image

from backends.results import Result
from tests.viz.fakes import FakeEngine
from tests.viz.tables import kept_answers, kept_table, words
from viz.server import table_downloads


@pytest.fixture
def table(engine: FakeEngine) -> dict[str, Any]:
    """A table of texts in the store, as the page keeps it."""
    return kept_table(engine)


@pytest.fixture
def key(engine: FakeEngine, table: dict[str, Any]) -> str:
    """The key of its answers."""
    return kept_answers(engine, table)


def test_routes_of_the_table(engine: FakeEngine, table: dict[str, Any], key: str) -> None:
    app = Flask("x")
    app.register_blueprint(table_downloads.blueprint(engine.store))
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
    values = np.zeros((8, 16), np.float32)
    values[:, 8:] = 1
    arrays = {"attribution": values, "image": np.full((8, 16, 3), 128, np.uint8)}
    axes = {"attribution": ("height", "width"), "image": ("height", "width", "channel")}
    picture = Image.open(io.BytesIO(table_downloads.thumbnail(Result("occlusion", arrays, axes, signed=True))))
    assert picture.size == (96, 48)
    assert picture.getpixel((10, 20)) == (128, 128, 128)  # zero is clear
    red, green, blue = picture.getpixel((80, 20))
    assert red > green
    assert red > blue
