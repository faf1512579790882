"""Tiles: what an address may ask for, what is packed, who waits, and what is said when it takes too long."""

from __future__ import annotations

import base64
import dataclasses
import json
import threading
from typing import Any

import numpy as np
import pytest
from flask import Flask

from backends.jobs.engine import State
from backends.requests import key_of
from backends.results import decode_array
from tests.viz.pages.attention.cases import KEY, attention
from viz.server import tiles
from viz.server.tiles import head_options, request_for

DIGEST = "d" * 64


def glance() -> Any:
    tokens = tuple(f"t{i}" for i in range(9))
    result = attention(tokens, part=(0, 0))
    asked = {"model": "m", "revision": "1", "input": DIGEST, "options": {"part": ""}}
    return dataclasses.replace(result, request=asked, facts={**result.facts, "sampled_rows": 4, "query_tokens": 9})


def document(rows: tuple[int, int] = (0, 9), keys: tuple[int, int] = (0, 9), step: int = 1, **more: Any) -> dict:
    shape = [-(-(rows[1] - rows[0]) // step), -(-(keys[1] - keys[0]) // step)]
    values = np.random.default_rng(1).random(shape).astype("<f4")
    return {
        "shape": shape, "values": base64.b64encode(values.tobytes()).decode(), "rows": list(rows), "keys": list(keys),
        "steps": [step, step], "whole": True, "most_rows": 9, "query_tokens": 9, "tokens": 9, "sink": True,
        "special": True, **more,
    }  # fmt: skip


@pytest.fixture
def web(engine: Any) -> Any:
    engine.store.put_result(KEY, glance())
    app = Flask("test")
    app.register_blueprint(tiles.blueprint(engine))
    return app.test_client()


def keep(engine: Any, found: dict, **options: Any) -> None:
    request = request_for(glance(), {**head_options(1, 2), **options})
    engine.store.put_document(key_of(request), found)


def test_a_tile_is_packed_by_its_square_root_with_its_place(engine: Any, web: Any) -> None:
    found = document((2, 6), (0, 4))
    keep(engine, found, rows=[2, 6], keys=[0, 4], size=[4, 4])
    answer = web.get(f"/maps/{KEY}/tile?layer=1&head=2&rows=2-6&keys=0-4&size=4,4")
    assert answer.status_code == 200
    assert "immutable" in answer.headers["Cache-Control"]
    length = int.from_bytes(answer.data[:4], "little")
    header = json.loads(answer.data[4 : 4 + length])
    assert (header["rows_range"], header["keys_range"], header["pooled"]) == ([2, 6], [0, 4], [1, 1])
    assert header["quantisation"] == "sqrt"
    codes = np.frombuffer(answer.data[4 + length :], np.uint8).reshape(4, 4)
    back = header["vmax"] * (codes / 255) ** 2
    assert np.abs(back - decode_array(found)).max() < 4e-3
    exact = web.get(f"/maps/{KEY}/tile?layer=1&head=2&rows=2-6&keys=0-4&size=4,4&at=3,1").get_json()
    assert exact == {"value": float(decode_array(found)[3, 1]), "unit": "probability"}


def test_what_is_not_kept_is_asked_of_the_worker_once(engine: Any, web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    request = request_for(glance(), {**head_options(0, "mean"), "rows": [0, 9]})

    def wait(key: str, seconds: float) -> State:
        engine.store.put_document(key, document())
        return State("done", 1.0)

    monkeypatch.setattr(engine, "wait", wait)
    for _ in range(2):
        assert web.get(f"/maps/{KEY}/tile?layer=0&head=mean&rows=0-9").status_code == 200
    assert engine.asked == [request]
    assert request["job"] == "window"
    assert (request["model"], request["input"], request["options"]["part"]) == ("m", DIGEST, "")


def test_a_busy_worker_is_said_and_given_up(engine: Any, web: Any) -> None:
    answer = web.get(f"/maps/{KEY}/tile?layer=0&head=0&rows=0-9")
    assert answer.status_code == 503
    assert "the worker is busy, or this part takes long" in answer.text
    assert answer.headers["Retry-After"] == "2"
    assert len(engine.cancelled) == 1


def test_only_some_threads_wait(engine: Any) -> None:
    places = threading.BoundedSemaphore(1)
    places.acquire()
    with pytest.raises(tiles.Later, match="many people look at long texts just now"):
        tiles.answer(engine, request_for(glance(), head_options(0, 0)), places)


def test_a_refusal_of_the_worker_is_its_sentence(engine: Any, web: Any) -> None:
    request = request_for(glance(), head_options(9, 0))
    engine.states[key_of(request)] = State("failed", message="there is no layer 9; the layers go from 0 to 1")
    answer = web.get(f"/maps/{KEY}/tile?layer=9&head=0")
    assert (answer.status_code, answer.text) == (400, "there is no layer 9; the layers go from 0 to 1\n")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("layer=x&head=0", "a tile is of one head: layer=<number>&head=<number or mean>"),
        ("layer=0&head=all", "a tile is of one head"),
        ("layer=0&head=0&rows=5", "rows='5' is no range: write first-end, such as rows=0-256"),
        ("layer=0&head=0&keys=a-b", "keys='a-b' is no range"),
        ("layer=0&head=0&size=9", "size='9' is not two numbers"),
    ],
)
def test_an_address_that_is_none_is_refused(web: Any, query: str, sentence: str) -> None:
    answer = web.get(f"/maps/{KEY}/tile?{query}")
    assert answer.status_code == 400
    assert sentence in answer.text


def test_a_cell_that_is_not_there_is_refused(engine: Any, web: Any) -> None:
    keep(engine, document(), rows=[0, 9])
    answer = web.get(f"/maps/{KEY}/tile?layer=1&head=2&rows=0-9&at=9,0")
    assert "at='9,0' is not a cell: write row,column below 9,9" in answer.text


def test_a_result_of_another_kind_has_no_tiles(engine: Any, web: Any) -> None:
    engine.store.put_result("b" * 64, dataclasses.replace(glance(), method="saliency"))
    answer = web.get(f"/maps/{'b' * 64}/tile?layer=0&head=0")
    assert answer.status_code == 404
    assert "is not the attention of an input" in answer.text


def test_names_come_once_and_queries_only_where_they_differ(engine: Any, web: Any) -> None:
    assert web.get(f"/maps/{KEY}/names").get_json() == {"queries": None, "keys": [f"t{i}" for i in range(9)]}
    other = glance()
    crossing = dataclasses.replace(other, labels={**other.labels, "all_query": ("a", "b")})
    engine.store.put_result("c" * 64, crossing)
    assert web.get(f"/maps/{'c' * 64}/names").get_json()["queries"] == ["a", "b"]


def test_a_window_as_csv_has_exact_numbers_and_names(engine: Any, web: Any) -> None:
    found = document((1, 3), (4, 6))
    keep(engine, found, rows=[1, 3], keys=[4, 6], size=[2, 2])
    lines = web.get(f"/maps/{KEY}/window.csv?layer=1&head=2&rows=1-3&keys=4-6").text.splitlines()
    assert lines[0] == "query,query label,key,key label,weight (probability)"
    assert lines[2] == f"1,t1,5,t5,{decode_array(found)[0, 1]}"
    assert len(lines) == 5


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("layer=1&head=2", "a file of exact weights is of a window"),
        (
            "layer=1&head=2&rows=0-2000&keys=0-2000",
            "2,000 × 2,000 weights does not fit into a file of at most 1,048,576",
        ),
    ],
)
def test_too_large_a_file_is_refused(web: Any, query: str, sentence: str) -> None:
    assert sentence in web.get(f"/maps/{KEY}/window.csv?{query}").text
