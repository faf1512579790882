"""One request after another, and what is said when it cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from backends import catalog
from backends.errors import Refused, Unsettled
from backends.jobs import worker
from backends.jobs.model_cache import models
from backends.requests import Check, OpenModel, Predict, Run
from backends.store import Store


def test_each_kind_of_request_is_carried_out(tiny_bert, tmp_path) -> None:
    source = catalog.resolve(str(tiny_bert))
    store = Store(tmp_path)
    digest = store.put_input({"text": "no fever but severe chest pain"})
    base = {"model": source.name, "revision": source.revision}
    card = worker.perform(OpenModel(**base).plain(), str(tmp_path))
    assert card["task"] == "text-classification"
    assert card["labels"] == ["routine", "soon", "urgent"]
    assert card["layers"] == 2
    answer = worker.perform(Predict(**base, input=digest).plain(), str(tmp_path))
    assert len(answer["prediction"]) == 3
    verdict = worker.perform(Check(**base, method="saliency").plain(), str(tmp_path))
    assert set(verdict) == {"holds", "sentence", "figures"}
    request = Run(**base, method="saliency", options={}, input=digest, target=None).plain()
    result = worker.perform(request, str(tmp_path))
    assert result.request == request
    with pytest.raises(Refused, match="have changed since this page opened it: reload"):
        worker.perform({**request, "revision": "0" * 16}, str(tmp_path))
    with pytest.raises(Refused, match="no job 'dance'; there are: audit, blind, check, "):
        worker.perform({"job": "dance"}, str(tmp_path))
    with pytest.raises(Refused, match="the job 'run' takes no 'colour'; it takes: model, revision, "):
        worker.perform({**request, "colour": "red"}, str(tmp_path))


def test_memory_that_runs_out_in_a_job_is_a_sentence(tiny_bert, tmp_path, monkeypatch) -> None:
    import torch

    def short(*args: Any, **kwargs: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(models(), "get", short)
    with pytest.raises(Unsettled, match=r"memory ran out while computing this; use a shorter text.*dtype=bfloat16"):
        worker.perform(OpenModel(model=str(tiny_bert), revision="").plain(), str(tmp_path))


def test_what_every_job_needs_can_be_loaded_beforehand() -> None:
    worker.preload()
