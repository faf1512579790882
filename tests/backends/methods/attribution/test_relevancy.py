"""Relevancy against a loop over the eager network's own attentions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import transformers as t

import backends
from tests import conftest

AUTO = {
    "tiny_gpt2": t.AutoModelForCausalLM,
    "tiny_llama": t.AutoModelForCausalLM,
    "tiny_vit": t.AutoModelForImageClassification,
    "tiny_bert": t.AutoModelForSequenceClassification,
}


def independent(name: str, folder: str, batch: Any, score: Any) -> np.ndarray:
    """R (token, token) by the paper's equations, on a network opened in eager mode."""
    own = AUTO[name].from_pretrained(folder, attn_implementation="eager").eval()
    out = own(**batch.inputs, output_attentions=True)
    for attention in out.attentions:
        attention.retain_grad()
    score(out.logits).backward()
    relevance = torch.eye(out.attentions[0].shape[-1])
    for attention in out.attentions:
        raised = (attention.grad * attention)[0].clamp(min=0).mean(0)
        relevance = relevance + raised @ relevance
    return relevance.detach().numpy()


@pytest.mark.parametrize("name", AUTO)
def test_relevancy_equals_an_independent_loop(opened: Any, picture: Any, name: str) -> None:
    model, raw = opened(name), conftest.raw_for(name, picture)
    batch = model.encode(raw)
    causal = name in ("tiny_gpt2", "tiny_llama")
    result = backends.run(model, "relevancy", raw, target=1)
    wanted = independent(name, model.name, batch, lambda logits: logits[0, -1, 1] if causal else logits[0, 1])
    if name == "tiny_vit":
        np.testing.assert_allclose(result.arrays["patches"], wanted[0, 1:].reshape(4, 4), rtol=1e-4, atol=1e-6)
        assert result.arrays["attribution"].shape == (32, 32)
    else:
        np.testing.assert_allclose(result.arrays["attribution"], wanted[-1 if causal else 0], rtol=1e-4, atol=1e-6)
        assert np.count_nonzero(result.arrays["attribution"]) > 1
    assert result.target == model.name_of(1)


def test_relevancy_of_one_class_rather_than_another(opened: Any) -> None:
    model = opened("tiny_bert")
    result = backends.run(model, "relevancy", conftest.TEXT, target=["urgent", "routine"])
    batch = model.encode(conftest.TEXT)
    wanted = independent("tiny_bert", model.name, batch, lambda logits: logits[0, 2] - logits[0, 0])
    np.testing.assert_allclose(result.arrays["attribution"], wanted[0], rtol=1e-4, atol=1e-6)
    assert result.target == "urgent rather than routine"
    one = backends.run(model, "relevancy", conftest.TEXT, target="urgent")
    assert not np.allclose(one.arrays["attribution"], result.arrays["attribution"])


def test_relevancy_of_a_sequence_reads_each_token_that_predicts(opened: Any) -> None:
    model = opened("tiny_gpt2")
    result = backends.run(model, "relevancy", "the doctor saw", target={"sequence": "the patient"})
    whole = model.encode("the doctor saw the")
    ids = model.encode("the patient").inputs["input_ids"][0]

    def score(logits: torch.Tensor) -> torch.Tensor:
        return logits[0, -2:].log_softmax(-1)[[0, 1], ids].sum()

    wanted = independent("tiny_gpt2", model.name, whole, score)
    np.testing.assert_allclose(result.arrays["attribution"], wanted[-2:].sum(0)[:3], rtol=1e-4, atol=1e-6)


def test_no_gradient_is_left_on_the_weights(opened: Any) -> None:
    model = opened("tiny_bert")
    backends.run(model, "relevancy", conftest.TEXT)
    assert all(p.grad is None and not p.requires_grad for p in model.module.parameters())
