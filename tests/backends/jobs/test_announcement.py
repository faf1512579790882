"""What a long job takes is said before it begins."""

from __future__ import annotations

import re

import pytest

from backends import catalog
from backends.cost import forecast, memory
from backends.errors import Unsettled
from backends.jobs import worker
from backends.requests import Run
from backends.store import Store


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
    named = {"model": source.name, "revision": source.revision, "input": digest, "target": None}
    request = Run(**named, method="saliency", options={}).plain()
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
