"""Rollout against the product of whole matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backends
from tests import conftest
from tests.backends.methods.attention.test_attention import eager


def whole_product(patterns: list[np.ndarray]) -> np.ndarray:
    product = np.eye(patterns[0].shape[-1])
    for pattern in patterns:
        step = 0.5 * pattern.mean(0) + 0.5 * np.eye(len(product))
        product = (step / step.sum(-1, keepdims=True)) @ product
    return product


@pytest.mark.parametrize(
    ("name", "row", "called"),
    [
        ("tiny_gpt2", -1, "."), ("tiny_llama", -1, "."), ("tiny_bert", 0, "[CLS]"),
        ("tiny_bert_mlm", 4, "[MASK]"), ("tiny_vit", 0, "[CLS]"),
    ],
)  # fmt: skip
def test_rollout_is_the_row_of_the_whole_product(opened: Any, picture: Any, name: str, row: int, called: str) -> None:
    model, raw = opened(name), conftest.raw_for(name, picture)
    result = backends.run(model, "attention_rollout", raw)
    product = whole_product(eager(model, model.encode(raw)))
    np.testing.assert_allclose(product.sum(-1), 1, atol=1e-6)
    assert result.facts["row"] == called
    assert result.facts["row_sum_gap"] < 1e-5
    assert result.target == ""
    assert not result.signed
    if name == "tiny_vit":
        np.testing.assert_allclose(result.arrays["patches"], product[0, 1:].reshape(4, 4), atol=1e-6)
        assert result.arrays["attribution"].shape == (32, 32)
        np.testing.assert_array_equal(result.arrays["attribution"][::8, ::8], result.arrays["patches"])
        np.testing.assert_array_equal(result.arrays["attribution"][7::8, 7::8], result.arrays["patches"])
    else:
        np.testing.assert_allclose(result.arrays["attribution"], product[row], atol=1e-6)


def test_the_help_says_that_it_knows_no_class() -> None:
    assert "the same for every class" in (backends.registry.method("attention_rollout").__doc__ or "")
