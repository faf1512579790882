"""The logit lens: its last row is the network's answer, every other row a formula written twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import backends
from backends.methods.trajectory import logit_lens
from tests.conftest import TEXT


def readings(model: Any, text: str) -> torch.Tensor:
    """Logits (layer, position, token) by the network's own hidden states; GPT-2 and Llama norm only the last."""
    inputs = model.encode(text).inputs
    with torch.no_grad():
        states = model.module(**inputs, output_hidden_states=True).hidden_states
        norm = model.module.get_submodule(model.sites.final_norm)
        head = model.module.get_output_embeddings()
        return torch.stack([head(norm(s))[0] for s in states[:-1]] + [head(states[-1])[0]])


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_llama"])
def test_every_layer_is_read_as_the_last(opened: Any, name: str) -> None:
    model = opened(name)
    result = backends.run(model, "logit_lens", TEXT, target="pain", k=4)
    log = readings(model, TEXT).log_softmax(-1)
    layers, length, _ = log.shape
    top = log.topk(4)
    assert result.arrays["probability"].shape == (layers, length, 4)
    np.testing.assert_allclose(result.arrays["probability"], top.values.exp(), atol=1e-6)
    np.testing.assert_array_equal(result.arrays["token"], top.indices)
    np.testing.assert_array_equal(result.arrays["rank"], np.broadcast_to([1, 2, 3, 4], (layers, length, 4)))
    order = log[-1].argsort(-1, descending=True).argsort(-1) + 1  # rank of each token in the answer
    np.testing.assert_array_equal(result.arrays["final_rank"], order.expand_as(log).gather(-1, top.indices))
    np.testing.assert_allclose(result.arrays["entropy"], -(log.exp() * log).sum(-1), atol=1e-5)
    np.testing.assert_allclose(result.arrays["kl"], (log[-1].exp() * (log[-1] - log)).sum(-1), atol=1e-5)
    token = model.index_of("pain")
    np.testing.assert_allclose(result.arrays["target_probability"], log[..., token].exp(), atol=1e-6)
    np.testing.assert_array_equal(result.arrays["target_rank"], (log > log[..., [token]]).sum(-1) + 1)
    assert result.labels["layer"] == ("input", *map(str, range(1, layers)))


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_llama"])
def test_the_last_row_is_the_answer(opened: Any, name: str) -> None:
    model = opened(name)
    result = backends.run(model, "logit_lens", TEXT, k=20)
    assert result.facts["parity_gap"] <= 1e-6
    np.testing.assert_allclose(result.arrays["kl"][-1], 0, atol=1e-6)
    np.testing.assert_array_equal(result.arrays["rank"][-1], result.arrays["final_rank"][-1])
    best = model.predict(model.encode(TEXT), 20)
    np.testing.assert_allclose(result.arrays["probability"][-1, -1], [choice.probability for choice in best], atol=1e-6)
    assert result.arrays["token"][-1, -1].tolist() == [choice.index for choice in best]
    assert result.arrays["target_rank"][-1, -1] == 1


def test_positions_in_parts_give_the_same(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = opened("tiny_gpt2")
    whole = backends.run(model, "logit_lens", TEXT)
    monkeypatch.setattr(logit_lens, "MOST", 60)  # two positions at a time
    parts = backends.run(model, "logit_lens", TEXT)
    for name, array in whole.arrays.items():
        np.testing.assert_allclose(parts.arrays[name], array, atol=1e-6)


def test_two_tokens_are_followed(opened: Any) -> None:
    model = opened("tiny_gpt2")
    result = backends.run(model, "logit_lens", TEXT, target=["pain", "fever"])
    other = backends.run(model, "logit_lens", TEXT, target="fever")
    np.testing.assert_array_equal(result.arrays["rather_rank"], other.arrays["target_rank"])
    np.testing.assert_array_equal(result.arrays["rather_probability"], other.arrays["target_probability"])
    assert "rather_rank" not in other.arrays
    assert result.facts["strings"][str(result.facts["followed"]["rather"])] == "fever"
    assert set(map(str, np.unique(result.arrays["token"]))) <= set(result.facts["strings"])


def test_bounds_of_k(opened: Any) -> None:
    with pytest.raises(backends.Refused, match="k must be a whole number from 1 to 20, not '21'"):
        backends.run(opened("tiny_gpt2"), "logit_lens", TEXT, k=21)


def test_a_classifier_has_no_lens(opened: Any) -> None:
    with pytest.raises(backends.Refused, match="Logit lens needs next_token, unembedding"):
        backends.run(opened("tiny_bert"), "logit_lens", TEXT)
