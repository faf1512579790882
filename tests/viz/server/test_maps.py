"""Maps over the wire: what is packed can be read back, and nonsense gets a sentence."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from backends.errors import Refused
from backends.results import Result
from tests.viz import samples
from viz.server import maps

A, B, C, GONE = "a" * 64, "b" * 64, "c" * 64, "0" * 64


def vit() -> Result:
    pattern = np.random.default_rng(5).dirichlet(np.ones(5), size=(1, 2, 5)).astype(np.float32)
    names = ("[CLS]", "0,0", "0,1", "1,0", "1,1")
    return Result(
        "attention",
        {"pattern": pattern},
        {"pattern": ("layer", "head", "query", "key")},
        {"query": names, "key": names},
        unit="probability",
        facts={"grid": [2, 2], "first_patch": 1},
    )


class Kept:
    """A store with three results and one image."""

    def __init__(self, folder: Path) -> None:
        self.results = {A: samples.attention(), B: samples.image_attribution(16), C: vit()}
        self.file = folder / "image"
        Image.fromarray(np.full((6, 4, 3), 90, np.uint8)).save(self.file, "JPEG")
        self.read = 0

    def get_result(self, key: str) -> Result:
        self.read += 1
        if key not in self.results:
            raise Refused("this result is no longer kept here; ask for it again")
        return self.results[key]

    def get_input(self, digest: str) -> dict[str, Any]:
        if digest == A:
            return {"text": "no picture"}
        if digest != B:
            raise Refused("this input is no longer kept here; ask for it again")
        return {"image": self.file}


@pytest.fixture
def store(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


@pytest.fixture
def client(store: Kept) -> FlaskClient:
    app = Flask(__name__)
    app.register_blueprint(maps.blueprint(store))
    return app.test_client()


def unpack(message: bytes) -> tuple[dict[str, Any], np.ndarray]:
    length = int.from_bytes(message[:4], "little")
    header = json.loads(message[4 : 4 + length])
    assert length % 4 == 0
    codes = np.frombuffer(message, np.uint8, offset=4 + length)
    return header, codes.reshape(header["shape"])


def read_back(header: dict[str, Any], codes: np.ndarray) -> np.ndarray:
    q = codes.astype(np.float64)
    if header["quantisation"] == "symmetric":
        return (q - 127.5) / 127.5 * header["vmax"]
    share = (q / 255) ** (2 if header["quantisation"] == "sqrt" else 1)
    return header["vmin"] + share * (header["vmax"] - header["vmin"])


def test_a_pattern_travels_with_its_labels(client: FlaskClient, store: Kept) -> None:
    answer = client.get(f"/maps/{A}/pattern?at=1,2&sqrt=1")
    assert answer.status_code == 200
    assert answer.mimetype == "application/octet-stream"
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    header, codes = unpack(answer.data)
    pattern = store.results[A].arrays["pattern"][1, 2]
    assert header["shape"] == list(pattern.shape) == header["full"]
    assert header["pooled"] == [1, 1]
    assert header["rows"] == list(samples.SENTENCE.split())
    assert header["axes"] == ["query", "key"]
    assert (header["unit"], header["signed"], header["quantisation"]) == ("probability", False, "sqrt")
    assert np.abs(read_back(header, codes) - pattern).max() <= 3.95e-3 * header["vmax"]


def test_sqrt_keeps_small_weights_that_linear_loses() -> None:
    values = np.array([[1e-4, 1.0]], np.float32)
    linear, _ = maps.quantise(values, signed=False)
    rooted, _ = maps.quantise(values, signed=False, sqrt=True)
    assert linear[0, 0] == 0
    assert rooted[0, 0] == 3


def test_sqrt_error_is_what_the_design_says() -> None:
    values = np.linspace(0, 1, 20001, dtype=np.float32)[None]
    codes, how = maps.quantise(values, signed=False, sqrt=True)
    assert np.abs(read_back(how, codes) - values).max() <= 3.93e-3


def test_signed_maps_are_symmetric(client: FlaskClient, store: Kept) -> None:
    header, codes = unpack(client.get(f"/maps/{B}/attribution").data)
    values = store.results[B].arrays["attribution"]
    assert header["signed"]
    assert header["vmin"] == -header["vmax"] == -float(np.abs(values).max())
    assert np.abs(read_back(header, codes) - values).max() <= header["vmax"] / 255 * 1.001
    assert header["rows"] is None
    mirrored, _ = maps.quantise(-values, signed=True)
    assert np.abs(255 - mirrored.astype(int) - codes).max() <= 1


def test_large_maps_keep_the_largest_magnitude(client: FlaskClient, store: Kept) -> None:
    header, codes = unpack(client.get(f"/maps/{B}/attribution?size=4").data)
    blocks = store.results[B].arrays["attribution"].reshape(4, 4, 4, 4).transpose(0, 2, 1, 3).reshape(4, 4, 16)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(-1)[..., None], -1)[..., 0]
    assert header["shape"] == [4, 4]
    assert header["full"] == [16, 16]
    assert header["pooled"] == [4, 4]
    assert np.abs(read_back(header, codes) - largest).max() <= header["vmax"] / 255 * 1.001


def test_star_mean_and_column(client: FlaskClient, store: Kept) -> None:
    pattern = store.results[A].arrays["pattern"]
    header, codes = unpack(client.get(f"/maps/{A}/pattern?at=1,mean").data)
    assert np.abs(read_back(header, codes) - pattern[1].mean(0)).max() < 3e-3
    header, codes = unpack(client.get(f"/maps/{A}/pattern?at=1,*,2").data)
    assert header["axes"] == ["head", "key"]
    assert np.abs(read_back(header, codes) - pattern[1, :, 2]).max() < 3e-3


def test_a_row_of_patches_is_laid_out_as_the_image(client: FlaskClient, store: Kept) -> None:
    pattern = store.results[C].arrays["pattern"]
    header, codes = unpack(client.get(f"/maps/{C}/pattern?at=0,1,3&grid=1").data)
    assert header["shape"] == [2, 2]
    assert header["axes"] == ["patch row", "patch column"]
    assert np.abs(read_back(header, codes) - pattern[0, 1, 3, 1:].reshape(2, 2)).max() < 3e-3
    header, codes = unpack(client.get(f"/maps/{C}/pattern?at=0,1,*,3&grid=1").data)
    assert np.abs(read_back(header, codes) - pattern[0, 1, 1:, 3].reshape(2, 2)).max() < 3e-3


def test_hidden_sink_is_said_and_not_renormalised(client: FlaskClient, store: Kept) -> None:
    pattern = store.results[A].arrays["pattern"][0, 0]
    header, codes = unpack(client.get(f"/maps/{A}/pattern?at=0,0&sink=0").data)
    assert header["hidden"] == "first key token"
    assert not codes[:, 0].any()
    assert header["vmax"] == pytest.approx(pattern[:, 1:].max())


def test_statistics_have_their_own_unit(client: FlaskClient) -> None:
    header, _ = unpack(client.get(f"/maps/{A}/entropy").data)
    assert header["unit"] == "nat"
    assert header["axes"] == ["all_layer", "all_head"]
    assert header["rows"] == ["0", "1", "2"]


def test_sprite_holds_every_head_on_one_scale(client: FlaskClient, store: Kept) -> None:
    header, codes = unpack(client.get(f"/maps/{A}/pattern/sprite?cell=4&sqrt=1").data)
    pattern = store.results[A].arrays["pattern"]
    assert header["shape"] == [3, 4, 4, 4]
    assert header["vmax"] == pytest.approx(pattern.max())
    top = pattern.reshape(3, 4, 4, 2, 4, 2).max((3, 5))
    assert np.abs(read_back(header, codes) - top).max() <= 4e-3


def test_sprites_stay_bounded_whatever_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps, "SPRITE_BYTES", 200)
    message = maps.sprite(samples.attention(), "pattern", cell=48)
    header, codes = unpack(message)
    assert codes.size <= 200
    assert header["full"] == [3, 4, 8, 8]


def test_exact_values_are_exact(client: FlaskClient, store: Kept) -> None:
    answer = client.get(f"/maps/{A}/pattern/value?at=2,1,7,3").get_json()
    assert answer == {"value": float(store.results[A].arrays["pattern"][2, 1, 7, 3]), "unit": "probability"}


def test_images_are_png(client: FlaskClient) -> None:
    for url, size in ((f"/maps/{B}/image", (16, 16)), (f"/inputs/{B}", (4, 6))):
        answer = client.get(url)
        assert answer.mimetype == "image/png"
        assert Image.open(io.BytesIO(answer.data)).size == size


def test_theme_tables_and_templates(client: FlaskClient) -> None:
    found = client.get("/theme.json").get_json()
    assert set(found["templates"]) == {"light", "dark"}
    assert "viridis" in found["tables"]


def test_results_are_read_once(client: FlaskClient, store: Kept) -> None:
    for row in range(4):
        client.get(f"/maps/{A}/pattern/value?at=0,0,0,{row}")
    assert store.read == 1


def test_recent_forgets_what_is_too_much() -> None:
    reads: list[str] = []

    def get(key: str) -> Result:
        reads.append(key)
        return samples.image_attribution(16)

    recent = maps.Recent(get, limit=2500)  # one result has 1792 bytes
    for key in (A, A, B, A):
        recent(key)
    assert reads == [A, B, A]


@pytest.mark.parametrize(
    ("url", "status", "sentence"),
    [
        (f"/maps/{GONE}/pattern", 404, "no longer kept here"),
        ("/maps/../pattern", 404, ""),
        ("/maps/..%2f..%2fetc/pattern", 404, ""),
        ("/maps/etc/pattern", 404, "64 characters from 0-9 and a-f"),
        (f"/maps/{A.upper()}/pattern", 404, "64 characters"),
        (f"/maps/{A}/nothing", 404, "no array 'nothing' in this result; there are: pattern, entropy"),
        (f"/maps/{A}/<script>", 404, "no array '<script>'"),
        (f"/maps/{A}/pattern", 400, "pattern has axes layer, head, query, key; a map has two"),
        (f"/maps/{A}/pattern?at=x", 400, "at='x' is not a place"),
        (f"/maps/{A}/pattern?at=-1,0", 400, "is not a place"),
        (f"/maps/{A}/pattern?at=1,2,3,4,5", 400, "names 5 places but pattern has 4 axes"),
        (f"/maps/{A}/pattern?at=99,0", 404, "layer 99 is not there: pattern has 3, counted from 0"),
        (f"/maps/{A}/pattern?at=0,0&size=99999", 400, "size must be a whole number from 1 to 2048"),
        (f"/maps/{A}/pattern?at=0,0&size=1e9", 400, "size must be a whole number"),
        (f"/maps/{A}/pattern?at=0,0&sqrt=yes", 400, "sqrt must be 0 or 1"),
        (f"/maps/{A}/pattern?at=0,0&grid=1", 400, "grid=1 lays out one row of image patches"),
        (f"/maps/{A}/pattern/value?at=0,0", 400, "named by 4 places"),
        (f"/maps/{A}/entropy/sprite", 400, "a sprite shows four"),
        (f"/maps/{A}/image", 404, "this result has no image"),
        (f"/inputs/{A}", 404, "this input has no image"),
        (f"/inputs/{GONE}", 404, "no longer kept here"),
        ("/inputs/passwd", 404, "64 characters"),
    ],
)
def test_nonsense_gets_a_sentence(client: FlaskClient, url: str, status: int, sentence: str) -> None:
    answer = client.get(url)
    assert answer.status_code == status
    assert "Traceback" not in answer.text
    if sentence:
        assert sentence in answer.text
        assert answer.mimetype == "text/plain"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
