"""Windows on one head: equal to the same part of the eager pattern, max-pooled, for the formulas that families use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import backends
from backends.errors import Refused
from backends.hooks.attention_call import AttentionCall
from backends.hooks.recording import record
from backends.methods.attention import attention_window
from backends.methods.attention.qk_cache import cache
from backends.results import decode_array
from tests import families

KINDS = ("GPT-2", "Llama", "Gemma 2", "Mistral", "gpt-oss", "Bloom", "BERT", "T5")
"""Shared queries and keys, grouped heads, a soft cap, a sliding window, sinks, an own softmax, both ways, a bias."""


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Any:
    there: dict[str, Any] = {}

    def get(name: str) -> tuple[Any, Any]:
        if name not in there:
            model = backends.open_model(str(families.make(name, tmp_path_factory.mktemp("models") / name)))
            there[name] = model, model.encode(families.raw(name))
        return there[name]

    return get


def pattern(model: Any, batch: Any, layer: int, part: str = "") -> np.ndarray:
    """All heads of one layer (head, query, key), by the module's own formula at once."""
    sites = model.stack(part)
    with torch.no_grad(), record(model.module, sites, patterns=[layer]) as recording:
        model.outputs(model.features(batch), batch)
    return recording.patterns[layer][0].float().numpy()


def pooled(values: np.ndarray, steps: tuple[int, int]) -> np.ndarray:
    """Each block's largest value, slowly."""
    rows, keys = (range(0, size, step) for size, step in zip(values.shape, steps, strict=True))
    return np.array([[values[r : r + steps[0], k : k + steps[1]].max() for k in keys] for r in rows])


@pytest.mark.parametrize("name", KINDS)
def test_a_window_equals_the_eager_pattern_pooled(family: Any, name: str) -> None:
    model, batch = family(name)
    for layer in model.sites.layers[:2]:
        own = pattern(model, batch, layer)
        for head in (0, 3):
            one = attention_window.read_window(
                model, batch, {"layer": layer, "head": head, "rows": [2, 7], "keys": [1, 6], "size": [2, 3]}
            )
            assert one["steps"] == [3, 2]
            assert np.abs(decode_array(one) - pooled(own[head, 2:7, 1:6], (3, 2))).max() <= 1e-6
        whole = attention_window.read_window(model, batch, {"layer": layer, "head": "mean"})
        assert whole["whole"] is True
        assert np.abs(decode_array(whole) - own.mean(0)).max() <= 1e-6


@pytest.mark.parametrize("part", ["encoder", "decoder", "cross"])
def test_a_window_of_each_stack(family: Any, part: str) -> None:
    model, batch = family("T5")
    own = pattern(model, batch, 1, part)
    found = attention_window.read_window(model, batch, {"layer": 1, "head": 2, "part": part})
    assert np.abs(decode_array(found) - own[2]).max() <= 1e-6
    assert (found["query_tokens"], found["tokens"]) == own.shape[1:]
    assert ("itself" in found["shares"]) == (own.shape[1] == own.shape[2])


def test_hidden_tokens_take_no_part(family: Any) -> None:
    model, batch = family("BERT")
    own = pattern(model, batch, 1)[1]
    options = {"layer": 1, "head": 1}
    sinkless = decode_array(attention_window.read_window(model, batch, {**options, "sink": False}))
    assert (sinkless[:, 0] == 0).all()
    np.testing.assert_allclose(sinkless[:, 1:], own[:, 1:], atol=1e-6)
    plain = attention_window.read_window(model, batch, {**options, "special": False})
    shown = decode_array(plain)
    assert (shown[[0, -1]] == 0).all()
    assert (shown[:, [0, -1]] == 0).all()
    np.testing.assert_allclose(shown[1:-1, 1:-1], own[1:-1, 1:-1], atol=1e-6)
    assert plain["shares"]["hidden_share"] == pytest.approx(own[:, [0, -1]].sum(1).mean(), abs=1e-6)
    assert plain["shares"]["to_special"] == pytest.approx(own[:, -1].mean(), abs=1e-6)


def test_a_head_is_summed_up(family: Any) -> None:
    model, batch = family("Llama")
    own = pattern(model, batch, 0)[2]
    found = attention_window.read_window(model, batch, {"layer": 0, "head": 2})
    best = np.argsort(-own.ravel(), kind="stable")[:3]
    assert [(q, k) for q, k, _ in found["pairs"][:3]] == [tuple(divmod(int(i), own.shape[1])) for i in best]
    assert found["most"] == pytest.approx(own.max())
    assert found["shares"]["itself"] == pytest.approx(np.trace(own[1:, 1:]) / (len(own) - 1), abs=1e-6)
    assert found["shares"]["to_first"] == pytest.approx(own[:, 0].mean(), abs=1e-6)


def test_one_group_of_heads_is_computed_where_that_is_the_same(family: Any) -> None:
    llama, batch = family("Llama")
    narrow, at = cache.read_call(llama, batch, "", 0).select_head(3)
    assert (narrow.shape[0], at) == (2, 1)  # two heads share a key head
    sinks, batch = family("gpt-oss")
    call = cache.read_call(sinks, batch, "", 0)
    assert call.select_head(3) == (call, 3)  # its sinks are of all heads


def test_too_large_a_map_is_read_in_windows(family: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = family("GPT-2")
    length = len(batch.tokens)
    own = pattern(model, batch, 1)[0]
    monkeypatch.setattr(attention_window, "MOST_SCORES", 3 * length)
    found = attention_window.read_window(model, batch, {"layer": 1, "head": 0})
    assert (found["whole"], found["rows"], found["most_rows"]) == (False, [length - 3, length], 3)
    np.testing.assert_allclose(decode_array(found), own[-3:], atol=1e-6)
    assert found["most"] == pytest.approx(own.max())  # of a sample of rows, here all of them
    with pytest.raises(Refused, match="ask for at most 3 rows of this head"):
        attention_window.read_window(model, batch, {"layer": 1, "head": 0, "rows": [0, 4]})


def test_no_tensor_is_as_large_as_the_pattern(family: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = family("GPT-2")
    length = len(batch.tokens)
    seen: list[int] = []
    rows = AttentionCall.compute_rows

    def watched(call: Any, some: Any) -> Any:
        found = rows(call, some)
        seen.append(found.numel())
        return found

    monkeypatch.setattr(AttentionCall, "compute_rows", watched)
    monkeypatch.setattr(attention_window, "PIECE", 2 * length)
    whole = attention_window.read_window(model, batch, {"layer": 1, "head": 0})
    assert max(seen[2:]) <= 2 * length  # after the two rows that show whether a head can stand alone
    monkeypatch.undo()
    np.testing.assert_array_equal(
        decode_array(whole),
        decode_array(attention_window.read_window(model, batch, {"layer": 1, "head": 0})),
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"layer": 9, "head": 0}, "there is no layer 9; the layers with attention go from 0 to 2"),
        ({"layer": "0", "head": 0}, "there is no layer 0;"),
        ({"layer": 0, "head": 4}, "there is no head 4; the heads go from 0 to 3, or 'mean'"),
        ({"layer": 0, "head": 0, "rows": [3, 3]}, r"rows are \[first, end\] from 0 to 7, not \[3, 3\]"),
        ({"layer": 0, "head": 0, "keys": [0, 8]}, r"keys are \[first, end\] from 0 to 7, not \[0, 8\]"),
        ({"layer": 0, "head": 0, "size": [0, 4]}, "size is two numbers, cells down and across"),
        ({"layer": 0, "head": 0, "size": [10**6, 10**6]}, "1048576 together at most"),
        ({"layer": 0, "head": 0, "part": "tower"}, "has no part 'tower'; it is one stack of layers"),
    ],
)
def test_what_is_not_there_is_refused(family: Any, options: dict, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        attention_window.read_window(*family("GPT-2"), options)
