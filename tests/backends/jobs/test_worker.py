from __future__ import annotations

import re
import threading
from typing import Any

import pytest

from backends import catalog, running
from backends.cost import forecast, memory
from backends.errors import Refused, Unsettled
from backends.jobs import worker
from backends.results import VERSION
from backends.store import Store


def test_each_kind_of_request_is_carried_out(tiny_bert, tmp_path) -> None:
    source = catalog.resolve(str(tiny_bert))
    store = Store(tmp_path)
    digest = store.put_input({"text": "no fever but severe chest pain"})
    base = {"model": source.name, "revision": source.revision}
    card = worker.perform({"job": "open", **base}, str(tmp_path))
    assert card["task"] == "text-classification"
    assert card["labels"] == ["routine", "soon", "urgent"]
    assert card["layers"] == 2
    answer = worker.perform({"job": "predict", **base, "input": digest}, str(tmp_path))
    assert len(answer["prediction"]) == 3
    verdict = worker.perform({"job": "check", **base, "method": "saliency"}, str(tmp_path))
    assert set(verdict) == {"holds", "sentence", "figures"}
    asked = {"method": "saliency", "options": {}, "input": digest, "target": None, "version": VERSION}
    request = {"job": "run", **base, **asked}
    result = worker.perform(request, str(tmp_path))
    assert result.request == request
    with pytest.raises(Refused, match="have changed since this page opened it: reload"):
        worker.perform({**request, "revision": "0" * 16}, str(tmp_path))
    with pytest.raises(Refused, match="no job 'dance'"):
        worker.perform({"job": "dance"}, str(tmp_path))


def test_models_stay_warm_until_memory_is_short(tiny_bert, tiny_gpt2) -> None:
    warm = worker.Warm(most_bytes=1)
    first = warm.get(str(tiny_bert))
    assert warm.get(str(tiny_bert)) is first
    warm.get(str(tiny_gpt2))
    assert warm.get(str(tiny_bert)) is not first


def test_room_is_made_before_the_next_model_is_opened(tiny_bert, tiny_gpt2, tiny_llama, monkeypatch) -> None:
    sizes = {n: memory.count_weight_bytes(catalog.resolve(str(n))) for n in (tiny_bert, tiny_gpt2, tiny_llama)}
    warm = worker.Warm(most_bytes=sizes[tiny_bert] + sizes[tiny_gpt2] + sizes[tiny_llama] // 2 + 2000)
    warm.get(str(tiny_bert))
    warm.get(str(tiny_gpt2))
    warm.get(str(tiny_bert))
    assert warm.names() == [str(tiny_gpt2), str(tiny_bert)]
    seen: list[list[str]] = []
    load = running.open_source

    def watched(source: Any) -> Any:
        seen.append(warm.names())
        return load(source)

    monkeypatch.setattr(running, "open_source", watched)
    warm.get(str(tiny_llama))
    assert seen == [[str(tiny_bert)]]  # the one used longest ago went first, and before
    assert warm.names() == [str(tiny_bert), str(tiny_llama)]


def test_models_go_where_the_device_is_short_of_memory(tiny_bert, tiny_gpt2, monkeypatch) -> None:
    warm = worker.Warm(most_bytes=2**40)
    warm.get(str(tiny_gpt2))
    need = memory.count_weight_bytes(catalog.resolve(str(tiny_bert)))
    left = iter([memory.SPARE, memory.SPARE + need - 1])
    monkeypatch.setattr(memory, "measure_free_bytes", lambda device="cpu": next(left, 2**40))
    warm.get(str(tiny_bert))
    assert warm.names() == [str(tiny_bert)]


def test_a_model_that_fits_nowhere_is_refused_and_none_goes(tiny_bert, tiny_gpt2, monkeypatch) -> None:
    warm = worker.Warm(most_bytes=2**40)
    warm.get(str(tiny_bert))
    monkeypatch.setattr(memory, "measure_free_bytes", lambda device="cpu": 0)
    with pytest.raises(Unsettled, match="for its weights in float32, and cpu has 0 MB free"):
        warm.get(str(tiny_gpt2))
    assert warm.names() == [str(tiny_bert)]
    monkeypatch.undo()
    assert warm.get(str(tiny_gpt2)).name == str(tiny_gpt2)


def test_an_open_model_does_not_wait_for_another_that_loads(tiny_bert, tiny_gpt2, monkeypatch) -> None:
    warm = worker.Warm(most_bytes=2**40)
    there = warm.get(str(tiny_bert))
    loading, go_on, count = threading.Event(), threading.Event(), []
    load = running.open_source

    def slow(source: Any) -> Any:
        count.append(source.name)
        loading.set()
        assert go_on.wait(20)
        return load(source)

    monkeypatch.setattr(running, "open_source", slow)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(warm.get(str(tiny_gpt2)))) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert loading.wait(20)
    assert warm.get(str(tiny_bert)) is there
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert count == [str(tiny_gpt2)]  # two asked, one opened it
    assert found[0] is found[1]


def test_the_same_model_in_another_dtype_is_another_model(tiny_bert) -> None:
    warm = worker.Warm(most_bytes=2**40)
    assert warm.get(str(tiny_bert)) is not warm.get(f"{tiny_bert}?dtype=bfloat16")
    assert len(warm.names()) == 2


def test_memory_that_runs_out_in_a_job_is_a_sentence(tiny_bert, tmp_path, monkeypatch) -> None:
    import torch

    def short(*args: Any, **kwargs: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(worker.warm, "get", short)
    with pytest.raises(Unsettled, match=r"memory ran out while computing this; use a shorter text.*dtype=bfloat16"):
        worker.perform({"job": "open", "model": str(tiny_bert)}, str(tmp_path))


class Told:
    """A step that keeps what it is told."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def __call__(self, fraction: float) -> None:
        pass

    def say(self, message: str) -> None:
        self.words.append(message)


def test_a_long_run_is_announced_and_one_that_cannot_fit_is_refused(tiny_bert, tmp_path, monkeypatch) -> None:
    source, store, step = catalog.resolve(str(tiny_bert)), Store(tmp_path), Told()
    digest = store.put_input({"text": "no fever but severe chest pain"})
    asked = {"method": "saliency", "options": {}, "input": digest, "target": None, "version": VERSION}
    request = {"job": "run", "model": source.name, "revision": source.revision, **asked}
    worker.perform(request, str(tmp_path), step)
    assert step.words == []  # short runs are not even forecast
    monkeypatch.setattr(forecast, "SHORT", 0)
    monkeypatch.setattr(forecast.Forecaster, "_time", lambda self: forecast.Speed(2.5, 1e-9, 1e-9, 2.0))
    worker.perform(request, str(tmp_path), step)
    assert re.fullmatch(r"about \d+ s and \d+ MB", step.words[0])
    monkeypatch.setattr(memory, "measure_free_bytes", lambda device="cpu": 100)
    with pytest.raises(Unsettled, match="Saliency of this input needs about 0 MB, and 0 MB are free; use a shorter"):
        worker.perform(request, str(tmp_path), step)
    monkeypatch.setattr(forecast, "announce", lambda *a: 1 / 0)
    assert worker.perform(request, str(tmp_path), step).method == "saliency"  # a forecast stops no run


def test_a_corrupted_input_is_made_and_both_are_predicted(tmp_path):
    store = Store(tmp_path)
    text = "When Mary and John went to the store, John gave a drink to"
    given = store.put_input({"text": text})
    opened = worker.perform({"job": "open", "model": "bundled/names"}, str(tmp_path))
    about = {"model": "bundled/names", "revision": opened["revision"]}
    made = worker.perform({"job": "corrupt", **about, "input": given, "how": "swap"}, str(tmp_path))
    assert made["text"] == text.replace(", John", ", Mary")
    assert store.get_input(made["pair"]) == {"clean": {"text": text}, "corrupted": {"text": made["text"]}}
    assert [len(side) for side in made["tokens"]] == [14, 14]
    both = worker.perform({"job": "predict", **about, "input": made["pair"]}, str(tmp_path))
    assert both["prediction"][0]["label"] == "Mary"
    assert both["corrupted"]["prediction"][0]["label"] == "John"
    assert both["corrupted"]["tokens"] == made["tokens"][1]
