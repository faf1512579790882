"""Causal language models: targets by token, pair and sequence."""

import pytest
import torch

from backends.errors import Refused
from tests.conftest import TEXT


@pytest.fixture
def model(opened):
    return opened("tiny_gpt2")


@pytest.fixture
def batch(model):
    return model.encode("the doctor saw the patient")


def test_it_opens_as_a_language_model_with_its_limit(model):
    assert model.task == "causal-lm"
    assert model.limit == 48
    assert model.labels == ()
    assert model.offers >= {"gradient", "tokens", "next_token", "generation", "attention", "residual", "unembedding"}


def test_the_prediction_is_the_next_token(model, batch):
    best = model.predict(batch, 3)
    with torch.no_grad():
        logits = model.module(**batch.inputs).logits[0, -1]
    assert [c.index for c in best] == logits.topk(3).indices.tolist()
    assert best[0].probability == pytest.approx(float(logits.softmax(-1).max()), rel=1e-5)


@pytest.mark.parametrize("spec", ["pain", " pain", 16])
def test_a_token_is_named_by_text_or_id(model, batch, spec):
    target = model.target(spec, batch)
    assert (target.kind, target.ids, target.words, target.unit) == ("index", (16,), "pain", "logit")


def test_a_pair_is_a_difference_of_logits(model, batch):
    target = model.target(["pain", "fever"], batch)
    x = model.features(batch)
    each = [model.score(x, batch, model.target(word, batch)) for word in ("pain", "fever")]
    torch.testing.assert_close(model.score(x, batch, target), each[0] - each[1])
    assert target.words == "pain rather than fever"


def test_a_sequence_is_the_sum_of_log_probabilities_of_plain_forwards(model, batch):
    target = model.target({"sequence": "and severe pain"}, batch)
    assert target.unit == "nat"
    ids, expected = batch.inputs["input_ids"], 0.0
    with torch.no_grad():
        for token in target.ids:
            expected += float(model.module(input_ids=ids).logits[0, -1].log_softmax(-1)[token])
            ids = torch.cat([ids, torch.tensor([[token]])], 1)
        ours = model.score(model.features(batch).repeat(2, 1, 1), batch, target)
    assert ours.tolist() == pytest.approx([expected, expected], abs=1e-5)


def test_a_sequence_of_one_token_is_its_log_probability(model, batch):
    target = model.target({"sequence": "pain"}, batch)
    logits = model.outputs(model.features(batch), batch)
    ours = model.score(model.features(batch), batch, target)
    torch.testing.assert_close(ours, logits.log_softmax(-1)[:, 16])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("zebra", "the vocabulary of .* has no token for 'zebra'"),
        ("severe pain", "'severe pain' is 2 tokens for .*; give one token, or a sequence target"),
        (9999, "has no token 9999; its tokens are 0 to"),
        (["pain"], r"a contrastive target is a pair \[a, b\], not 1 entries"),
        (["pain", "pain"], "the two sides of the target are the same: 'pain'"),
        ({"sequence": ""}, "a sequence target needs text"),
        ({"sequence": "pain " * 45}, "text and sequence are 50 tokens; the model reads 48"),
    ],
)
def test_a_bad_target_is_a_sentence(model, batch, spec, message):
    with pytest.raises(Refused, match=message):
        model.target(spec, batch)


def test_llama_scores_like_its_own_forward(opened):
    model = opened("tiny_llama")
    batch = model.encode(TEXT)
    with torch.no_grad():
        torch.testing.assert_close(
            model.outputs(model.features(batch), batch), model.module(**batch.inputs).logits[:, -1]
        )
