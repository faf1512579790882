"""What the evidence page gives away: tables as CSV and JSON, maps in small as the tests read them."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from backends.evidence import cells
from backends.results import Result
from tests.viz.fakes import FakeEngine
from viz.server import evidence_downloads

KEY, MAP, TEXT = "ab" * 32, "cd" * 32, "ef" * 32


@pytest.fixture
def client(engine: FakeEngine) -> FlaskClient:
    rows = [
        {"rank": 1, "method": "=lime", "value": 0.123456789},
        {"rank": 2, "method": "b", "value": None, "more": "x"},
    ]
    engine.store.put_document(KEY, {"table": rows, "problem": ""})
    values = np.zeros((64, 64), np.float32)
    values[10, 10] = 1
    arrays = {"attribution": values, "image": np.full((64, 64, 3), 128, np.uint8)}
    axes = {"attribution": ("height", "width"), "image": ("height", "width", "channel")}
    engine.store.put_result(MAP, Result("saliency", arrays, axes, signed=True))
    engine.store.put_result(TEXT, Result("saliency", {"attribution": np.ones(3)}, {"attribution": ("token",)}))
    app = Flask("test")
    app.register_blueprint(evidence_downloads.blueprint(engine.store))
    return app.test_client()


def test_the_table_as_csv_and_json(client: FlaskClient) -> None:
    answer = client.get(f"/audits/{KEY}/csv")
    assert answer.text == "\ufeffrank,method,value,more\r\n1,'=lime,0.123457,\r\n2,b,,x\r\n"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="vitrine-evidence-abababab.csv"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert json.loads(client.get(f"/audits/{KEY}/json").text)["table"][0]["method"] == "=lime"


@pytest.mark.parametrize("address", [f"/audits/{'0' * 64}/csv", f"/audits/{KEY[:-1]}/json", f"/audits/{TEXT}/map"])
def test_what_is_not_there_is_a_sentence(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 404
    assert len(answer.text) > 20


def test_a_document_without_a_table_is_none(client: FlaskClient, engine: FakeEngine) -> None:
    engine.store.put_document("12" * 32, {"rows": []})
    assert client.get(f"/audits/{'12' * 32}/csv").status_code == 404


def test_a_speckled_map_is_seen_as_the_tests_read_it(client: FlaskClient, engine: FakeEngine) -> None:
    picture = np.asarray(Image.open(io.BytesIO(client.get(f"/audits/{MAP}/map").data)).convert("RGB"), int)
    red = picture[..., 0] - picture[..., 2]
    assert (red > 20).sum() > 8  # one pixel in 64 × 64 became a spot
    assert np.unravel_index(red.argmax(), red.shape)[0] == pytest.approx(10.5 / 64 * len(red), abs=2)
    values = engine.store.get_result(MAP).arrays["attribution"].copy()
    values[30, 30] = 0.5  # of two values only, it would be a mask
    blurred = evidence_downloads.seen(Result("x", {"attribution": values}, {"attribution": ("height", "width")}))
    np.testing.assert_allclose(blurred.arrays["attribution"], cells.blur_map(values), atol=1e-6)


def test_what_has_no_map_or_no_table_is_missing(client: FlaskClient, engine: FakeEngine) -> None:
    engine.store.put_result("12" * 32, Result("x", {"other": np.ones(3)}, {"other": ("token",)}))
    engine.store.put_document("34" * 32, {"table": ["no row"]})
    for path in (f"{'12' * 32}/map", f"{'56' * 32}/map", f"{'34' * 32}/csv", f"{'34' * 32}/json"):
        assert client.get(f"/audits/{path}").status_code == 404, path
