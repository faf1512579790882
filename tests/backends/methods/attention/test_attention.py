"""Attention patterns and their statistics: against eager mode and against plain loops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import backends
from backends.hooks.attention_call import AttentionCall, iterate_rows
from backends.methods.attention import attention
from backends.methods.attention.qk_cache import cache
from tests import conftest

LONG = 300


@pytest.fixture(scope="module")
def long_model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tiny Llama that reads 320 tokens."""
    import transformers as t

    words = conftest.tokenizer(framed=False)
    words.model_max_length = 320
    config = t.LlamaConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=320, initializer_range=0.3,
    )  # fmt: skip
    folder: Path = tmp_path_factory.mktemp("models") / "long"
    return backends.open_model(str(conftest.save(folder, t.LlamaForCausalLM, config, words)))


def long_text(tokens: int = LONG) -> str:
    draw = np.random.default_rng(0)
    return " ".join(draw.choice(conftest.WORDS[:20], tokens))


def eager(model: Any, batch: Any) -> list[np.ndarray]:
    """The patterns (head, query, key) of the same folder opened in eager mode."""
    import transformers as t

    auto = {"pixels": t.AutoModelForImageClassification, "next_token": t.AutoModelForCausalLM}
    kind = next((v for k, v in auto.items() if k in model.offers), t.AutoModelForSequenceClassification)
    if "masked_token" in model.offers:
        kind = t.AutoModelForMaskedLM
    own = kind.from_pretrained(model.name, attn_implementation="eager").eval()
    with torch.no_grad():
        return [a[0].numpy() for a in own(**batch.inputs, output_attentions=True).attentions]


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_llama", "tiny_bert", "tiny_bert_mlm", "tiny_vit"])
def test_pattern_equals_eager_mode(opened: Any, picture: Any, name: str) -> None:
    model, raw = opened(name), conftest.raw_for(name, picture)
    result = backends.run(model, "attention", raw)
    own = np.stack(eager(model, model.encode(raw)))
    assert float(np.abs(result.arrays["pattern"] - own).max()) == 0.0
    assert result.axes["pattern"] == ("layer", "head", "query", "key")
    np.testing.assert_array_equal(result.arrays["overview"], own)  # short enough to be shown whole


def slow_statistics(pattern: np.ndarray, ids: list[int], some: Any = None) -> dict[str, float]:
    """One head's statistics, row by row; of `some` of them."""
    rows: dict[str, list[float]] = {name: [] for name in attention.STATISTICS}
    for q, row in enumerate(pattern):
        if some is not None and q not in some:
            continue
        rows["entropy"].append(-sum(p * np.log(p) for p in row if p > 0))
        rows["distance"].append(sum(p * abs(q - k) for k, p in enumerate(row)) / row.sum())
        if q:
            rows["to_first"].append(row[0])
            rows["previous"].append(row[q - 1])
        after = [j + 1 for j in range(q) if ids[j] == ids[q] and j + 1 < q]
        if after:
            rows["induction"].append(sum(row[k] for k in after))
    return {name: float(np.mean(values)) if values else 0.0 for name, values in rows.items()}


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_bert"])
@pytest.mark.parametrize("text", ["the doctor saw the doctor saw the chart .", "no fever but pain"])
def test_statistics_equal_a_loop(opened: Any, name: str, text: str) -> None:
    model = opened(name)
    result = backends.run(model, "attention", text)
    ids = model.encode(text).inputs["input_ids"][0].tolist()
    pattern = result.arrays["pattern"]
    for layer in range(pattern.shape[0]):
        for head in range(pattern.shape[1]):
            for statistic, value in slow_statistics(pattern[layer, head], ids).items():
                assert result.arrays[statistic][layer, head] == pytest.approx(value, abs=1e-5)
    assert (result.arrays["induction"].max() > 0) == ("doctor saw the doctor" in text)


def test_a_perfect_induction_head_scores_one() -> None:
    ids = torch.tensor([[1, 2, 3, 4, 1, 2, 3, 4]])
    pattern = torch.zeros(1, 1, 8, 8)
    for q in range(8):
        pattern[0, 0, q, max(q - 3, 0)] = 1.0  # the token after the same one, a period of 4 before
    tokens = tuple("abcdabcd")
    laid = attention._TokenLayout(tokens, tokens, same=ids[0], grid=None, first_patch=0, crossing=False)
    found = attention._compute_statistics([(torch.arange(8), pattern)], laid)
    assert found["induction"].item() == 1.0
    assert found["entropy"].item() == 0.0


def test_distance_between_patches(opened: Any, picture: Any) -> None:
    model = opened("tiny_vit")
    result = backends.run(model, "attention", picture)
    pattern = result.arrays["pattern"][1, 0][1:, 1:]  # without the class token
    places = np.array([(r, c) for r in range(4) for c in range(4)])
    apart = np.sqrt(((places[:, None] - places[None]) ** 2).sum(-1))
    wanted = ((pattern * apart).sum(1) / pattern.sum(1)).mean()
    assert result.arrays["distance"][1, 0] == pytest.approx(wanted, rel=1e-5)
    assert result.labels["key"][:2] == ("[CLS]", "r1 c1")
    assert result.labels["key"][-1] == "r4 c4"
    assert result.facts["distance_unit"] == "patch"
    assert result.facts["grid"] == [4, 4]


def test_a_choice_of_layers_heads_and_rows(opened: Any) -> None:
    model = opened("tiny_gpt2")
    whole = backends.run(model, "attention", conftest.TEXT)
    some = backends.run(model, "attention", conftest.TEXT, layers=(2, 0), heads=(1,), queries=(3, 6))
    np.testing.assert_array_equal(some.arrays["pattern"], whole.arrays["pattern"][[2, 0]][:, [1]][:, :, [3, 6]])
    assert (some.labels["layer"], some.labels["head"]) == (("2", "0"), ("1",))
    assert some.labels["query"] == (whole.labels["key"][3], whole.labels["key"][6])
    for name in (*attention.STATISTICS, "overview"):
        np.testing.assert_array_equal(some.arrays[name], whole.arrays[name])


def test_long_inputs_give_the_rows_asked_for(long_model: Any) -> None:
    text = long_text()
    own = eager(long_model, long_model.encode(text))
    result = backends.run(long_model, "attention", text)
    assert result.arrays["pattern"].shape == (2, 4, 1, LONG)
    assert result.facts["rows"] == [LONG - 1]
    np.testing.assert_allclose(result.arrays["pattern"][1, :, 0], own[1][:, -1], atol=1e-6)
    square = backends.run(long_model, "attention", text, layers=(1,), heads=(2,))
    assert square.arrays["pattern"].shape == (1, 1, LONG, LONG)
    np.testing.assert_allclose(square.arrays["pattern"][0, 0], own[1][2], atol=1e-6)
    rows = backends.run(long_model, "attention", text, queries=(5, 250))
    np.testing.assert_allclose(rows.arrays["pattern"][0], own[0][:, [5, 250]], atol=1e-6)


def test_long_inputs_have_statistics_of_a_sample_of_rows(long_model: Any) -> None:
    text = long_text()
    batch = long_model.encode(text)
    own, some = eager(long_model, batch), attention.sample_rows(LONG)
    result = backends.run(long_model, "attention", text)
    assert result.facts["sampled_rows"] == len(some) == len(set(some)) == 256
    ids = batch.inputs["input_ids"][0].tolist()
    for statistic, value in slow_statistics(own[1][2], ids, some).items():
        assert result.arrays[statistic][1, 2] == pytest.approx(value, abs=1e-4)
    inside = [row for row in range(13, 25) if row in some]
    cell = own[0][3][inside, 50:63]  # query cell 1, key cell 4 of 24: 12.5 tokens each
    assert result.arrays["overview"].shape == (2, 4, 24, 24)
    assert result.arrays["overview"][0, 3, 1, 4] == pytest.approx(cell.max(), abs=1e-6)


def test_the_sample_takes_one_row_of_each_stretch() -> None:
    assert attention.sample_rows(9) == tuple(range(9))
    rows = np.array(attention.sample_rows(8192))
    assert (rows * 256 // 8192).tolist() == list(range(256))
    assert len(set((rows % 32).tolist())) > 16  # a text of period 32 is seen at many of its places


def test_a_prediction_of_the_recorded_forward_is_the_prediction(long_model: Any) -> None:
    text = long_text()
    before = cache.forwards
    long_model.module.zero_grad()
    result = backends.run(long_model, "attention", text + " the")
    assert cache.forwards == before + 1
    assert result.facts["prediction"] == backends.prediction(long_model, long_model.encode(text + " the"))


def test_one_head_of_a_long_text_visits_one_layer(long_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    text, visited, statistics = long_text() + " a", [], []
    plain = AttentionCall.run_kernel

    def counted(call: Any) -> Any:
        visited.append(call.module.layer_idx)
        return plain(call)

    monkeypatch.setattr(AttentionCall, "run_kernel", counted)
    monkeypatch.setattr(attention, "_compute_statistics", lambda *a: statistics.append(a))
    batch = long_model.encode(text)
    result = attention.AttentionPattern(layers=(0,), heads=(2,))(long_model, batch)
    assert visited == [0]  # the forward ended there
    assert statistics == []
    assert "overview" not in result.arrays
    before = cache.forwards
    attention.AttentionPattern(layers=(0,), heads=(1,), queries=(7,))(long_model, batch)
    assert cache.forwards == before  # another head and row of a layer that was visited


def test_statistics_in_parts_equal_statistics_at_once(long_model: Any) -> None:
    batch = long_model.encode(long_text())
    call = cache.read_call(long_model, batch, "", 1)
    parts = list(iterate_rows(call, range(LONG), most=4 * LONG * 37))
    assert [int(rows[0]) for rows, _ in parts][:3] == [0, 37, 74]
    assert max(part.numel() for _, part in parts) == 4 * LONG * 37
    laid = attention._TokenLayout.out(long_model, batch, "")
    one = attention._compute_statistics([(torch.arange(LONG), torch.cat([part for _, part in parts], 2))], laid)
    many = attention._compute_statistics(parts, laid)
    for name in one:
        np.testing.assert_allclose(one[name], many[name], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"layers": (3,)}, "there is no layer 3; the layers with attention go from 0 to 2"),
        ({"heads": "5"}, "there is no head 5; the heads with attention go from 0 to 1"),
        ({"queries": (7,)}, "there is no query token 7; the query tokens with attention go from 0 to 6"),
        ({"layers": (-1,)}, "layers must be numbers of at least 0, not"),
    ],
)
def test_what_is_not_there_is_refused(opened: Any, options: dict, sentence: str) -> None:
    with pytest.raises(backends.Refused, match=sentence):
        backends.run(opened("tiny_gpt2"), "attention", conftest.TEXT, **options)
