"""Models that stay open: least recently used first to go, and never more than fits."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from backends import catalog, running
from backends.cost import memory
from backends.errors import Refused, Unsettled
from backends.jobs.model_cache import ModelCache, find_model, models
from backends.requests import OpenModel


def test_models_stay_open_until_memory_is_short(tiny_bert, tiny_gpt2) -> None:
    cache = ModelCache(most_bytes=1)
    first = cache.get(str(tiny_bert))
    assert cache.get(str(tiny_bert)) is first
    cache.get(str(tiny_gpt2))
    assert cache.get(str(tiny_bert)) is not first


def test_room_is_made_before_the_next_model_is_opened(tiny_bert, tiny_gpt2, tiny_llama, monkeypatch) -> None:
    sizes = {n: memory.count_weight_bytes(catalog.resolve(str(n))) for n in (tiny_bert, tiny_gpt2, tiny_llama)}
    cache = ModelCache(most_bytes=sizes[tiny_bert] + sizes[tiny_gpt2] + sizes[tiny_llama] // 2 + 2000)
    cache.get(str(tiny_bert))
    cache.get(str(tiny_gpt2))
    cache.get(str(tiny_bert))
    assert cache.names() == [str(tiny_gpt2), str(tiny_bert)]
    seen: list[list[str]] = []
    load = running.open_source

    def watched(source: Any) -> Any:
        seen.append(cache.names())
        return load(source)

    monkeypatch.setattr(running, "open_source", watched)
    cache.get(str(tiny_llama))
    assert seen == [[str(tiny_bert)]]  # the one used longest ago went first, and before
    assert cache.names() == [str(tiny_bert), str(tiny_llama)]


def test_models_go_where_the_device_is_short_of_memory(tiny_bert, tiny_gpt2, monkeypatch) -> None:
    cache = ModelCache(most_bytes=2**40)
    cache.get(str(tiny_gpt2))
    need = memory.count_weight_bytes(catalog.resolve(str(tiny_bert)))
    left = iter([memory.SPARE, memory.SPARE + need - 1])
    monkeypatch.setattr(memory, "measure_free_bytes", lambda device="cpu": next(left, 2**40))
    cache.get(str(tiny_bert))
    assert cache.names() == [str(tiny_bert)]


def test_a_model_that_fits_nowhere_is_refused_and_none_goes(tiny_bert, tiny_gpt2, monkeypatch) -> None:
    cache = ModelCache(most_bytes=2**40)
    cache.get(str(tiny_bert))
    monkeypatch.setattr(memory, "measure_free_bytes", lambda device="cpu": 0)
    with pytest.raises(Unsettled, match="for its weights in float32, and cpu has 0 MB free"):
        cache.get(str(tiny_gpt2))
    assert cache.names() == [str(tiny_bert)]
    monkeypatch.undo()
    assert cache.get(str(tiny_gpt2)).name == str(tiny_gpt2)


def test_an_open_model_does_not_wait_for_another_that_loads(tiny_bert, tiny_gpt2, monkeypatch) -> None:
    cache = ModelCache(most_bytes=2**40)
    there = cache.get(str(tiny_bert))
    loading, go_on, count = threading.Event(), threading.Event(), []
    load = running.open_source

    def slow(source: Any) -> Any:
        count.append(source.name)
        loading.set()
        assert go_on.wait(20)
        return load(source)

    monkeypatch.setattr(running, "open_source", slow)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(cache.get(str(tiny_gpt2)))) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert loading.wait(20)
    assert cache.get(str(tiny_bert)) is there
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert count == [str(tiny_gpt2)]  # two asked, one opened it
    assert found[0] is found[1]


def test_the_same_model_in_another_dtype_is_another_model(tiny_bert) -> None:
    cache = ModelCache(most_bytes=2**40)
    assert cache.get(str(tiny_bert)) is not cache.get(f"{tiny_bert}?dtype=bfloat16")
    assert len(cache.names()) == 2


def test_a_process_has_one_cache_and_a_request_finds_its_model_there(tiny_bert) -> None:
    source = catalog.resolve(str(tiny_bert))
    model = find_model(OpenModel(model=source.name, revision=source.revision))
    assert models().peek(source.name) is model
    with pytest.raises(Refused, match="have changed since this page opened it: reload the page"):
        find_model(OpenModel(model=source.name, revision="0" * 16))


def test_what_cannot_be_opened_is_not_open(tmp_path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert models().peek(str(tmp_path)) is None
