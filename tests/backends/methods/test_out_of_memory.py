"""Gradients that do not fit: fewer inputs at once, then a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backends
from backends import registry
from backends.errors import Unsettled
from tests.conftest import TEXT


@pytest.fixture
def short(fresh, monkeypatch) -> Any:
    """A tiny model whose gradients run out of memory with more than `most` inputs at once; it counts the tries."""
    import torch

    def make(most: int) -> tuple[Any, list[int]]:
        model, tried = fresh("tiny_bert"), []
        score = model.score

        def limited(features: Any, batch: Any, target: Any) -> Any:
            if torch.is_grad_enabled():
                tried.append(len(features))
                if len(features) > most:
                    raise torch.OutOfMemoryError("CUDA out of memory")
            return score(features, batch, target)

        monkeypatch.setattr(model, "score", limited)
        monkeypatch.setattr(model, "batch_size", lambda batch, target: 16)
        return model, tried

    return make


@pytest.mark.parametrize(
    ("method", "options"),
    [("integrated_gradients", {"steps": 24}), ("integrated_gradients", {}), ("gradient_shap", {"samples": 8})],
)
def test_gradients_take_fewer_inputs_at_once_where_memory_is_short(short, opened, method, options) -> None:
    model, tried = short(2)
    found = backends.run(model, method, TEXT, **options)
    assert max(tried) > 2
    assert tried[-1] <= 2
    if method == "integrated_gradients":
        whole = backends.run(opened("tiny_bert"), method, TEXT, **options)
        assert np.allclose(found.arrays["attribution"], whole.arrays["attribution"], rtol=1e-3, atol=1e-5)
        assert options == {} or found.facts["gradients"] == whole.facts["gradients"] == 24


@pytest.mark.parametrize(
    ("method", "options"), [("integrated_gradients", {"steps": 8}), ("saliency", {}), ("gradient_shap", {"samples": 8})]
)
def test_where_not_even_one_fits_the_sentence_says_what_would(short, method, options) -> None:
    model, _ = short(0)
    told = "does not fit in memory, even one input at a time; use a shorter text.*smaller dtype.*fewer steps or samples"
    with pytest.raises(Unsettled, match=told):
        backends.run(model, method, TEXT, **options)


def test_other_errors_are_not_taken_for_memory(fresh, monkeypatch) -> None:
    model = fresh("tiny_bert")
    target = model.target(None, model.encode(TEXT))
    monkeypatch.setattr(model, "score", lambda *a: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        registry.method("saliency")()(model, model.encode(TEXT), target)
