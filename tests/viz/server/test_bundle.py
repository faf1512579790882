"""One script and one style sheet: everything in them, in order, and fetched once."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

import app
from tests.viz.fakes import FakeEngine
from viz.server import bundle

ROOT = Path(__file__).parents[3]


@pytest.fixture
def client(engine: FakeEngine) -> FlaskClient:
    return app.create_app(engine).server.test_client()  # type: ignore[arg-type]


def script_of(client: FlaskClient) -> str:
    found = re.findall(r'<script src="([^"]+)"', client.get("/").text)
    assert len(found) == 1
    return str(found[0])


def test_all_scripts_stand_in_one_and_in_their_order(client: FlaskClient) -> None:
    text = client.get(script_of(client)).text
    places = {path.name: text.find(path.read_text(encoding="utf-8")[:400]) for path in (ROOT / "assets").glob("*.js")}
    assert [name for name, at in places.items() if at < 0] == []
    in_order = sorted(places, key=lambda name: places[name])
    assert in_order[:2] == ["first_view.js", "lib.js"]
    assert places["first_view.js"] < text.find("React") < places["lib.js"] < text.find("DashRenderer")
    assert "\n//# sourceMappingURL" not in text


def test_all_styles_stand_in_one(client: FlaskClient) -> None:
    sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)"', client.get("/").text)
    assert len(sheets) == 1
    text = client.get(sheets[0]).text
    assert [p.name for p in (ROOT / "assets").glob("*.css") if p.read_text(encoding="utf-8")[:200] not in text] == []


def test_it_is_fetched_once_and_packed(client: FlaskClient) -> None:
    address = script_of(client)
    answer = client.get(address, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.data) == client.get(address).data
    other = address.replace(address[-10:-3], "0" * 7)
    assert client.get(other).status_code == 404  # of an older start: never another content under its name


def test_each_page_is_told_its_own_callbacks(client: FlaskClient) -> None:
    text = client.get(script_of(client)).text
    known = json.loads(json.loads(re.match(r"window\.vitrine=.*?\.dependencies=(\".*?[^\\]\");", text)[1]))  # type: ignore[index]
    assert {"", "/", "/attribution", "/causal"} <= known.keys()
    outputs = {path: {spec["output"] for spec in specs} for path, specs in known.items()}
    assert any("attribution-card" in output for output in outputs["/attribution"])
    assert not any("causal-" in output for output in outputs["/attribution"])
    assert outputs[""] < outputs["/"]
    assert not any("_pages_" in output for some in outputs.values() for output in some)


def test_a_file_that_is_none_of_the_app_is_a_fault() -> None:
    class Elsewhere:
        class config:
            assets_folder = str(ROOT / "assets")

    with pytest.raises(RuntimeError, match="cannot be bundled"):
        bundle._text(Elsewhere(), "https://elsewhere.example/x.js")  # type: ignore[arg-type]
