from __future__ import annotations

import pytest

from backends import catalog, worker
from backends.errors import Refused
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
