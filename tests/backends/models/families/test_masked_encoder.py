"""Masked encoders: the word under the mask."""

import pytest
import torch
import transformers

from backends import open_model
from backends.errors import Refused
from tests.conftest import TEXT, tokenizer

MASKED = "no fever but [MASK] chest pain ."


def test_the_word_under_the_mask_is_predicted(opened):
    model = opened("tiny_bert_mlm")
    batch = model.encode(MASKED)
    assert batch.tokens[4] == "[MASK]"
    assert batch.special[4]
    with torch.no_grad():
        logits = model.module(**batch.inputs).logits[0, 4]
    assert model.predict(batch, 1)[0].index == int(logits.argmax())
    assert model.target("severe", batch).words == "severe"


def test_without_a_mask_nothing_is_predicted_and_the_sentence_says_what_to_do(opened):
    model = opened("tiny_bert_mlm")
    batch = model.encode(TEXT)
    assert model.predict(batch) == []
    with pytest.raises(Refused, match=r"put \[MASK\] into the text where .* should guess a word"):
        model.target("severe", batch)


def test_its_own_sample_has_a_mask(opened):
    model = opened("tiny_bert_mlm")
    assert "[MASK]" in model.encode(model.sample).tokens


def test_an_encoder_without_a_head_shows_its_inside_only(tmp_path):
    config = transformers.BertConfig(
        vocab_size=30, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=48,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(tmp_path)
    tokenizer(framed=True).save_pretrained(tmp_path)
    model = open_model(str(tmp_path))
    assert "gradient" not in model.offers
    assert "attention" in model.offers
    with pytest.raises(Refused, match="has no head: it represents text and answers nothing"):
        model.target(None, model.encode(TEXT))
