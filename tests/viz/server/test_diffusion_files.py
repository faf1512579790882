"""The routes of a drawing: word maps as float32, what is true, stages, and the GIF."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backends.store import Store
from tests.viz.paintings import WORDS, drawing
from viz.server import diffusion_files

KEY = "a" * 64


@pytest.fixture
def client(tmp_path: Path) -> Any:
    from flask import Flask

    store = Store(tmp_path)
    store.put_result(KEY, drawing())
    app = Flask(__name__)
    app.register_blueprint(diffusion_files.blueprint(store))
    return app.test_client()


def opened(data: bytes, kind: type = np.float32) -> tuple[dict[str, Any], np.ndarray]:
    length = int.from_bytes(data[:4], "little")
    header = json.loads(data[4 : 4 + length])
    return header, np.frombuffer(data, kind, offset=4 + length).reshape(header["shape"])


def test_word_maps_are_exact_and_last(client: Any) -> None:
    answer = client.get(f"/maps/{KEY}/words?part=steps&first=0&last=1")
    assert "immutable" in answer.headers["Cache-Control"]
    header, values = opened(answer.data)
    assert header["words"] == list(WORDS)
    assert header["part"] == "steps 1 to 2"
    assert (4 + int.from_bytes(answer.data[:4], "little")) % 4 == 0  # else the browser cannot read it as float32
    np.testing.assert_allclose(values, drawing().arrays["map"] / 2, rtol=1e-5)


def test_what_is_true_and_the_stages(client: Any) -> None:
    header, masks = opened(client.get(f"/maps/{KEY}/truth").data, np.uint8)
    assert header["rows"] == [1, 2, 5, 6]
    assert masks.shape == (4, 64, 64)
    stage = Image.open(io.BytesIO(client.get(f"/maps/{KEY}/stage?at=2").data))
    assert stage.size == (16, 16)
    assert stage.getpixel((0, 0)) == (40, 40, 40)
    assert Image.open(io.BytesIO(client.get(f"/maps/{KEY}/stage?at=4").data)).size == (64, 64)  # the picture itself


def test_what_cannot_be_is_a_sentence(client: Any, tmp_path: Path) -> None:
    assert "kept no maps of one head" in client.get(f"/maps/{KEY}/words?part=head").text
    assert client.get(f"/maps/{'b' * 64}/words").status_code == 404
    assert client.get("/maps/none/truth").status_code == 404
    from tests.viz import samples

    Store(tmp_path).put_result("c" * 64, samples.text_attribution())
    assert "no generated picture" in client.get(f"/results/{'c' * 64}/gif").text


def test_the_gif_has_a_frame_a_stage_and_a_tile_a_word(client: Any) -> None:
    film = Image.open(io.BytesIO(client.get(f"/results/{KEY}/gif").data))
    assert film.n_frames == 4
    wide = film.size
    some = Image.open(io.BytesIO(client.get(f"/results/{KEY}/gif?words=circle").data))
    assert some.size[0] < wide[0] or some.size[1] < wide[1]
    assert Image.open(io.BytesIO(diffusion_files.gif(drawing(), "nothing-like-it"))).size == wide
    film.seek(3)
    assert film.info["duration"] == diffusion_files.HOLD


def test_a_map_over_a_picture_is_clear_where_it_is_zero() -> None:
    picture = Image.new("RGB", (8, 8), (200, 10, 10))
    one = np.zeros((2, 2), np.float32)
    one[0, 0] = 1
    over = diffusion_files.laid_over(picture, one, 1.0)
    assert over.getpixel((7, 7)) == (200, 10, 10)
    assert over.getpixel((0, 0)) != (200, 10, 10)


def test_a_picture_with_no_stages_is_still_a_gif() -> None:
    import dataclasses

    bare = drawing()
    arrays = {n: a for n, a in bare.arrays.items() if n not in ("frames", "by_step")}
    axes = {n: a for n, a in bare.axes.items() if n in arrays}
    made = dataclasses.replace(bare, arrays=arrays, axes=axes, labels={"word": WORDS})
    assert Image.open(io.BytesIO(diffusion_files.gif(made))).n_frames == 1
    assert "seed 0, 4 steps, guidance 3; maps of 8 × 8 places, fast" in diffusion_files.notes(made)[-1]
