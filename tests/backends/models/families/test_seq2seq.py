"""Encoder–decoder networks: what the decoder has said, its stacks, and what is explained."""

import numpy as np
import pytest
import torch
import transformers

import backends
from backends import open_model
from backends.errors import Refused
from tests import families

TEXT = "no fever but severe chest pain ."
RAW = {"text": TEXT, "output": "the patient gave"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return families.make("T5", tmp_path_factory.mktemp("t5"))


@pytest.fixture(scope="module")
def model(folder):
    return open_model(str(folder))


@pytest.fixture(scope="module")
def bart(tmp_path_factory):
    return open_model(str(families.make("BART", tmp_path_factory.mktemp("bart"))))


def test_the_decoder_is_given_what_was_said(model):
    batch = model.encode(RAW)
    assert batch.tokens == ("[CLS]", "no", "fever", "but", "severe", "chest", "pain", ".", "[SEP]")
    assert batch.streams["decoder"] == ("[PAD]", "the", "patient", "gave")
    assert batch.raw == RAW
    begun = model.encode({"text": TEXT, "output": ""})
    assert begun.streams["decoder"] == ("[PAD]",)


@pytest.mark.parametrize("which", ["model", "bart"])
def test_without_words_the_decoder_has_answered_greedily(which, request):
    model = request.getfixturevalue(which)
    given = model.encode(TEXT).inputs["decoder_input_ids"][0].tolist()
    batch = model.encode({"text": TEXT, "output": ""})
    assert 1 <= len(given) <= 9
    for length in range(1, len(given)):
        batch.inputs["decoder_input_ids"] = torch.tensor([given[:length]])
        assert model.predict(batch, 1)[0].index == given[length]


def test_the_prediction_is_the_next_token(model, folder):
    batch = model.encode(RAW)
    plain = transformers.T5ForConditionalGeneration.from_pretrained(folder).eval()
    with torch.no_grad():
        logits = plain(**batch.inputs).logits[0, -1]
    best = model.predict(batch, 3)
    assert [c.index for c in best] == logits.topk(3).indices.tolist()
    assert best[0].logit == pytest.approx(float(logits.max()), rel=1e-5)


def test_a_sequence_is_the_sum_of_log_probabilities(model):
    batch = model.encode(RAW)
    target = model.target({"sequence": "and severe"}, batch)
    ids, expected = batch.inputs["decoder_input_ids"], 0.0
    with torch.no_grad():
        for token in target.ids:
            logits = model.module(**{**batch.inputs, "decoder_input_ids": ids}).logits[0, -1]
            expected += float(logits.log_softmax(-1)[token])
            ids = torch.cat([ids, torch.tensor([[token]])], 1)
        ours = model.score(model.features(batch).repeat(2, 1, 1), batch, target)
    assert ours.tolist() == pytest.approx([expected, expected], abs=1e-5)
    assert target.unit == "nat"


@pytest.mark.parametrize(
    ("part", "queries", "keys"), [("", 9, 9), ("encoder", 9, 9), ("decoder", 4, 4), ("cross", 4, 9)]
)
def test_attention_of_each_stack(model, part, queries, keys):
    result = backends.run(model, "attention", RAW, part=part)
    assert result.arrays["pattern"].shape == (3, 4, queries, keys)
    np.testing.assert_allclose(result.arrays["pattern"].sum(-1), 1, atol=1e-5)
    batch = model.encode(RAW)
    assert result.labels["query"] == (batch.tokens if queries == 9 else batch.streams["decoder"])
    assert result.labels["key"] == (batch.tokens if keys == 9 else batch.streams["decoder"])
    assert ("span" in result.arrays) == (keys == 9)
    assert ("induction" in result.arrays) == (part != "cross")
    future = result.arrays["pattern"][..., np.triu(np.ones((queries, keys), bool), 1)]
    assert bool(future.any()) == (part != "decoder")


def test_the_lens_reads_the_decoder(model):
    result = backends.run(model, "logit_lens", RAW)
    assert result.facts["parity_gap"] < 1e-5
    assert result.facts["part"] == "decoder"
    assert result.labels["position"] == ("[PAD]", "the", "patient", "gave")


def test_states_of_each_stack(model):
    for part, length in (("", 9), ("encoder", 9), ("decoder", 4)):
        result = backends.run(model, "residual_trajectory", RAW, part=part)
        assert result.arrays["path"].shape == (4, length, 3)
        assert len(result.labels["position"]) == length


def test_source_words_are_attributed(model):
    result = backends.run(model, "integrated_gradients", RAW, target="pain", steps=200)
    assert result.arrays["attribution"].shape == (9,)
    assert result.facts["completeness_gap"] < 0.01


def test_methods_that_follow_one_stack_are_not_offered(model):
    assert not {"attention_rollout", "relevancy"} & set(backends.methods(model))
    with pytest.raises(Refused, match="needs one_stack"):
        backends.run(model, "attention_rollout", RAW)


def test_an_answer_is_given_by_its_tokens(model):
    ids = model.encode(RAW).inputs["decoder_input_ids"][0, 1:].tolist()
    exact = model.encode({"text": TEXT, "output_ids": [*ids, 3]})  # the end, which a text cannot hold
    assert exact.inputs["decoder_input_ids"][0].tolist() == [0, *ids, 3]
    assert exact.raw == {"text": TEXT, "output": RAW["output"], "output_ids": [*ids, 3]}
    assert model.encode(exact.raw).inputs["decoder_input_ids"].tolist() == exact.inputs["decoder_input_ids"].tolist()


@pytest.mark.parametrize(
    ("raw", "options", "message"),
    [
        (RAW, {"part": "tower"}, "has no part 'tower'; it has encoder, decoder, cross"),
        ({"text": TEXT, "output": 3}, {}, "the output so far must be a text"),
        ({"text": TEXT, "output_ids": "3"}, {}, "output_ids must be a list of whole numbers"),
        ({"text": TEXT, "output_ids": [999]}, {}, "has no token 999; its tokens are 0 to"),
        ({"text": ""}, {}, "the text is empty"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(model, raw, options, message):
    with pytest.raises(Refused, match=message):
        backends.run(model, "attention", raw, **options)


def test_an_answer_longer_than_the_decoder_reads_is_refused(bart):
    with pytest.raises(Refused, match=r"the output so far has 61 tokens; .* gives at most 48"):
        bart.encode({"text": TEXT, "output": "pain " * 60})


def test_one_stack_has_no_parts(opened):
    with pytest.raises(Refused, match=r"has no part 'decoder'; it is one stack of layers: leave the name out"):
        backends.run(opened("tiny_gpt2"), "attention", TEXT, part="decoder")
