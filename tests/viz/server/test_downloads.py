"""What is taken away is whole, safe to open, and needs no network."""

from __future__ import annotations

import csv as reader
import dataclasses
import io
import json
from typing import Any, ClassVar

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from safetensors.numpy import load

from backends.errors import Refused
from backends.requests import receipt_key
from backends.results import Result
from tests.viz import samples
from viz.components.attribution_summary import number
from viz.report.case import View
from viz.server import downloads

KEY = "a" * 64


class Kept:
    receipt: ClassVar[dict[str, Any]] = {}

    def get_result(self, key: str) -> Result:
        if key != KEY:
            raise Refused("this result is no longer kept here; ask for it again")
        return samples.text_attribution()

    def get_input(self, digest: str) -> dict[str, str]:
        raise KeyError(digest)

    def get_document(self, key: str) -> dict[str, Any]:
        if key == receipt_key(KEY) and self.receipt:
            return self.receipt
        raise Refused("this answer is no longer kept here; ask for it again")


@pytest.fixture
def client() -> FlaskClient:
    app = Flask(__name__)
    app.register_blueprint(downloads.blueprint(Kept()))
    return app.test_client()


def rows(text: str) -> list[list[str]]:
    return list(reader.reader(io.StringIO(text)))


def test_csv_has_places_labels_value_and_unit() -> None:
    result = samples.text_attribution()
    table = rows("".join(downloads.csv(result)))
    assert table[0] == ["token", "token label", "attribution (logit)"]
    assert [r[1] for r in table[1:]] == list(result.labels["token"])
    np.testing.assert_array_equal(np.float32([r[2] for r in table[1:]]), result.arrays["attribution"])


def test_csv_of_one_head() -> None:
    result = samples.attention()
    table = rows("".join(downloads.csv(result, at="1,2")))
    assert table[0] == ["layer", "layer label", "head", "head label", "query", "query label", "key", "key label",
                        "pattern (probability)"]  # fmt: skip
    assert len(table) == 65
    assert table[1][:4] == ["1", "1", "2", "2"]
    np.testing.assert_array_equal(np.float32([r[-1] for r in table[1:]]), result.arrays["pattern"][1, 2].ravel())


@pytest.mark.parametrize("word", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", " =1", '=HYPERLINK("x")', "＝1"])
def test_csv_cells_are_no_formulas(word: str) -> None:
    result = samples.text_attribution((word, "plain"))
    table = rows("".join(downloads.csv(result)))
    assert table[2][1] == "'" + word
    assert table[3][1] == "plain"


def test_csv_refuses_with_what_would_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "MOST_ROWS", 100)
    with pytest.raises(Refused, match=r"pattern has 768 numbers and a CSV holds at most 100: .*at=0,0 \(layer, head\)"):
        downloads.csv(samples.attention())
    with pytest.raises(Refused, match=r"this result has .* a JSON file holds at most 100: take it as safetensors"):
        downloads.as_json(samples.attention())
    with pytest.raises(Refused, match="at='x' is not a part of pattern"):
        downloads.csv(samples.attention(), at="x")
    with pytest.raises(Refused, match="layer 9 is not there: pattern has 3"):
        downloads.csv(samples.attention(), at="9")
    with pytest.raises(Refused, match="no array 'q' in this result; there are: pattern"):
        downloads.csv(samples.attention(), "q")


def test_json_is_whole_and_strict() -> None:
    result = samples.text_attribution()
    odd = dataclasses.replace(result, facts={**result.facts, "gap": float("nan")})
    found = json.loads(downloads.as_json(odd))
    assert found["unit"] == "logit"
    assert found["request"]["model"] == "bundled/triage"
    assert found["facts"]["gap"] is None
    np.testing.assert_array_equal(np.float32(found["arrays"]["attribution"]), result.arrays["attribution"])


def test_safetensors_holds_the_rest_as_metadata(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from safetensors import safe_open

    result = samples.image_attribution(8)
    content = downloads.safetensors(result)
    np.testing.assert_array_equal(load(content)["attribution"], result.arrays["attribution"])
    (tmp_path / "r.safetensors").write_bytes(content)
    with safe_open(tmp_path / "r.safetensors", "np") as file:
        about = json.loads(file.metadata()["vitrine"])
    assert about["target"] == "nodule"
    assert about["order"] == ["attribution", "image"]


@pytest.mark.parametrize("name", samples.ALL)
def test_html_is_one_file_without_network(name: str) -> None:
    result = samples.ALL[name]()
    page = downloads.html(result)
    assert len(page) < 500_000
    assert "<script" not in page
    assert "default-src 'none'" in page
    for words in (result.unit, result.request["model"], "Nothing was normalised", "made with Vitrine"):
        assert words in page
    if result.target:
        assert result.target.strip() in page


def test_html_tells_options_facts_and_values() -> None:
    result = samples.text_attribution()
    page = downloads.html(result)
    assert "steps: 32" in page
    assert "0.012" in page
    assert "93.0 %" in page
    low = result.arrays["attribution"].min()
    assert f"from {low:.4g} to" in page
    assert "red speaks for the target" in page
    assert f'title="{number(result.arrays["attribution"][1], True)} logit"' in page


def test_html_shows_hostile_words_as_words() -> None:
    result = samples.text_attribution(samples.NASTY)
    evil = "</script><script>alert(1)</script>"
    result = dataclasses.replace(
        result,
        target=evil,
        request={"model": evil, "options": {evil: evil}},
        facts={**result.facts, evil: [{evil: evil}]},
    )
    page = downloads.html(result)
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "<b>bold" not in page


def test_the_view_reaches_the_picture(client: FlaskClient) -> None:
    asked = client.get(f"/results/{KEY}/svg?by=token&scale=-2,2")
    assert ">−2<" in asked.text
    framed = client.get(f"/results/{KEY}/svg?frame=400x300").text
    assert 'id="vitrine-picture"' in framed
    view = downloads.view_of({"layer": "2", "head": "1", "by": "nonsense", "colours": "rainbow", "opacity": "7"})
    assert view == View(part=(("layer", "2"), ("head", "1")))


@pytest.mark.parametrize("kind", ["csv", "json", "safetensors", "html", "svg"])
def test_downloads_are_attachments(client: FlaskClient, kind: str) -> None:
    answer = client.get(f"/results/{KEY}/{kind}")
    assert answer.status_code == 200
    assert len(answer.data) > 100
    expected = f'attachment; filename="vitrine-integrated_gradients-aaaaaaaa.{kind}"'
    assert answer.headers["Content-Disposition"] == expected
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("url", "status", "sentence"),
    [
        (f"/results/{KEY}/pickle", 404, "no download 'pickle'; there are: csv, json, safetensors, html, svg"),
        (f"/results/{'0' * 64}/csv", 404, "no longer kept here"),
        ("/results/..%2f..%2fx/csv", 404, ""),
        ("/results/x/csv", 404, "64 characters"),
        (f"/results/{KEY}/csv?array=zip", 404, "no array 'zip'"),
        (f"/results/{KEY}/svg?scale=1", 400, "scale='1' is no scale: write its two ends, such as scale=-1,1"),
        (f"/results/{KEY}/svg?scale=2,1", 400, "is no scale"),
        (f"/results/{KEY}/html?scale=--1,1e", 400, "is no scale"),
        (f"/results/{KEY}/svg?frame=0x10", 400, "frame='0x10' is no size: write pixels, such as frame=640x480"),
        (f"/results/{KEY}/csv?at=0", 400, "at='0' is not a part of attribution"),
    ],
)
def test_nonsense_gets_a_sentence(client: FlaskClient, url: str, status: int, sentence: str) -> None:
    answer = client.get(url)
    assert answer.status_code == status
    assert sentence in answer.text
    assert "Traceback" not in answer.text


def test_a_receipt_goes_where_its_result_goes(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        {"name": "hiding", "value": 3.1, "control": [0.1, 0.4], "verdict": "holds", "sentence": "Hiding <b> drops"}
    ]
    facts = {"replacement": "mask", "samples": 76, "seed": 0}
    receipt = {"lines": lines, "verdict": "holds", "rule": "Holds because of “hiding”.", "facts": facts}
    assert "No receipt is kept with this map" in client.get(f"/results/{KEY}/html").text
    monkeypatch.setattr(Kept, "receipt", receipt)
    assert json.loads(client.get(f"/results/{KEY}/json").text)["facts"]["receipt"] == receipt
    page = client.get(f"/results/{KEY}/html")
    assert "How this map was tested" in page.text
    assert "Holds because of “Hide the brightest part”." in page.text
    assert "Holds because of" in client.get(f"/results/{KEY}/svg").text
    assert "Holds. Hiding &lt;b&gt; drops" in page.text
    assert page.headers["Cache-Control"] == "private, no-cache"


def test_each_tested_word_of_a_drawing_has_its_receipt(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    line = {"name": "without it", "value": 9.0, "control": None, "verdict": "holds", "sentence": "Hidden by “mask”."}
    facts = {"replacement": "removed", "samples": 2, "seed": 0, "word": 1, "target": "<i>red"}
    one = {"lines": [line], "verdict": "holds", "rule": "Holds because of “without it”.", "facts": facts}
    monkeypatch.setattr(Kept, "receipt", {"words": {"1": one, "2": {**one, "facts": {**facts, "target": "blue"}}}})
    page = client.get(f"/results/{KEY}/html")
    assert page.status_code == 200
    assert "“&lt;i&gt;red”: how it was tested" in page.text
    assert "“blue”: how it was tested" in page.text
    assert "Holds because of “Draw without the word”." in page.text  # as the page calls it
    assert "Hidden by “the mask token”." in page.text
