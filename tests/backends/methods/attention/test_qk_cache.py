"""Queries and keys that are kept: one forward a layer, bounded in bytes, safe for threads, gone with the network."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest

from backends.hooks.attention_call import StoredAttention
from backends.methods.attention.qk_cache import QkCache, digest_input, read_limit
from tests import conftest

ROOM = 2**20


def call(keeper: QkCache, model: Any, layer: int = 0, text: str = conftest.TEXT) -> StoredAttention:
    return keeper.read_call(model, model.encode(text), "", layer)


def test_another_look_at_a_layer_takes_no_forward(opened: Any) -> None:
    keeper, model = QkCache(ROOM), opened("tiny_llama")
    first = call(keeper, model)
    assert call(keeper, model) is first
    assert keeper.forwards == 1
    call(keeper, model, text=conftest.TEXT + " no")
    assert keeper.forwards == 2
    assert keeper.layers() == [0, 0]


def test_only_the_layers_that_were_looked_at_are_calls(opened: Any) -> None:
    keeper, model = QkCache(ROOM), opened("tiny_gpt2")
    call(keeper, model, 1)
    assert keeper.layers() == [1]
    assert (
        keeper.count_bytes() == 2 * 4 * 7 * 16 + 7 * 8
    )  # queries, keys, positions: not the values, not the projection


def test_bytes_are_bounded_and_the_oldest_go_first(opened: Any) -> None:
    one = 2 * 4 * 7 * 16 + 7 * 8  # and the positions
    keeper, model = QkCache(2 * one + 10), opened("tiny_gpt2")
    for layer in (0, 1, 0, 2):
        call(keeper, model, layer)
        assert keeper.count_bytes() <= 2 * one + 10
    assert keeper.layers() == [0, 2]  # 1 was looked at before 0 was again
    small = QkCache(one - 1)
    call(small, model)
    assert small.layers() == []  # what does not fit is computed, and not kept


def test_a_glance_keeps_every_layer_or_none(opened: Any) -> None:
    model = opened("tiny_gpt2")
    one = 2 * 4 * 7 * 16 + 7 * 8  # and the positions
    for room, kept in ((3 * one, [0, 1, 2]), (3 * one - 1, [])):
        keeper, told = QkCache(room), []
        keeper.visit_and_predict(
            model, model.encode(conftest.TEXT), "", (0, 1, 2), lambda layer, _, told=told: told.append(layer)
        )
        assert told == [0, 1, 2]
        assert keeper.layers() == kept


def test_a_glance_returns_the_prediction_of_the_same_forward(opened: Any) -> None:
    keeper, model = QkCache(ROOM), opened("tiny_bert")
    batch = model.encode(conftest.TEXT)
    assert keeper.visit_and_predict(model, batch, "", (0, 1), lambda *_: None) == model.predict(batch)
    assert keeper.forwards == 1


def test_threads_compute_a_layer_once_and_never_mix(opened: Any) -> None:
    keeper, model = QkCache(ROOM), opened("tiny_llama")
    texts = [conftest.TEXT, "the doctor saw the chart .", "mary gave john a drink ."]
    wanted = {text: call(QkCache(ROOM), model, 1, text).query for text in texts}
    wrong: list[str] = []

    def look() -> None:
        for text in texts * 4:
            if not call(keeper, model, 1, text).query.equal(wanted[text]):
                wrong.append(text)

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert keeper.forwards == len(texts)


def test_calls_go_with_their_network(fresh: Any) -> None:
    keeper, model = QkCache(ROOM), fresh("tiny_gpt2")
    call(keeper, model)
    assert keeper.count_bytes() > 0
    del model
    gc.collect()
    assert keeper.count_bytes() == 0


def test_the_digest_is_of_what_the_network_is_given(opened: Any) -> None:
    model = opened("tiny_bert")
    one, other = (digest_input(model.encode(text)) for text in ("no fever", "no pain"))
    assert one != other
    assert one == digest_input(model.encode("no  fever"))  # the same tokens


def test_the_room_is_set_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_QK_GB", "2")
    assert read_limit() == 2**31
    monkeypatch.delenv("VITRINE_QK_GB")
    assert read_limit() == 2**29


def test_a_refused_step_ends_the_forward(opened: Any) -> None:
    keeper, model = QkCache(ROOM), opened("tiny_gpt2")

    def cancelled(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keeper.visit(model, model.encode(conftest.TEXT), "", (0, 1), cancelled)
    assert call(keeper, model, 1).shape == (2, 7, 7)  # and the next one works
