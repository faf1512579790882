"""What all text families share: tokens, spans, stand-ins, bad input."""

import numpy as np
import pytest
import torch

import backends
from backends.errors import Refused
from tests.conftest import TEXT, TEXTS, save


@pytest.mark.parametrize("name", TEXTS)
def test_spans_are_the_places_of_the_tokens_in_the_text(opened, name):
    batch = opened(name).encode(TEXT)
    assert batch.spans.shape == (len(batch.tokens), 2)
    assert batch.spans.dtype == np.int32
    for token, (start, end), special in zip(batch.tokens, batch.spans, batch.special, strict=True):
        assert (end > start) != special
        if not special:
            assert TEXT[start:end] == token


def test_repeated_words_keep_their_own_places(opened):
    batch = opened("tiny_bert").encode("the doctor saw the chart")
    places = [tuple(span) for token, span in zip(batch.tokens, batch.spans.tolist(), strict=True) if token == "the"]
    assert places == [(0, 3), (15, 18)]


def test_unknown_words_are_shown_as_they_were_typed_and_are_not_special(opened):
    batch = opened("tiny_bert").encode("the zebra")
    assert batch.tokens == ("[CLS]", "the", "zebra", "[SEP]")
    assert batch.special.tolist() == [True, False, False, True]


def test_text_comes_as_a_mapping_too(opened):
    assert opened("tiny_gpt2").encode({"text": TEXT}).tokens == opened("tiny_gpt2").encode(TEXT).tokens


@pytest.mark.parametrize("name", TEXTS)
def test_features_give_the_same_logits_as_ids(opened, name):
    model = opened(name)
    batch = model.encode(TEXT.replace("severe", "[MASK]") if name == "tiny_bert_mlm" else TEXT)
    with torch.no_grad():
        direct = model.module(**batch.inputs).logits
        ours = model.outputs(model.features(batch), batch)
    at = {"tiny_bert": slice(None), "tiny_bert_mlm": (0, model._mask_at(batch))} if hasattr(model, "_mask_at") else {}
    expected = direct if direct.ndim == 2 else direct[:, at[name][1]] if name in at else direct[:, -1]
    torch.testing.assert_close(ours, expected, atol=1e-6, rtol=1e-5)


def test_each_score_of_a_batch_is_its_own(opened):
    model = opened("tiny_llama")
    batch = model.encode(TEXT)
    x = model.features(batch)
    rows = torch.cat([x, model.baseline(x, batch), x])
    target = model.target(None, batch)
    scores = model.scores(rows, batch, target)
    assert scores.shape == (3,)
    assert scores[0] == pytest.approx(float(scores[2]), abs=1e-6)
    assert scores[0] != pytest.approx(float(scores[1]), abs=1e-3)


def test_stand_ins_leave_special_tokens_alone(opened):
    model = opened("tiny_bert")
    batch = model.encode(TEXT)
    x = model.features(batch)
    assert model.stand_ins == ("mask", "pad", "mean", "zero")
    for kind in model.stand_ins:
        there = model.baseline(x, batch, kind)
        torch.testing.assert_close(there[:, batch.special], x[:, batch.special])
        assert not torch.allclose(there[:, ~batch.special], x[:, ~batch.special])
    weight = model.module.get_input_embeddings().weight
    torch.testing.assert_close(model.baseline(x, batch)[0, 1], weight[model.processor.mask_token_id])
    assert opened("tiny_gpt2").stand_ins == ("mean", "pad", "zero")  # it has no mask token


def test_units_number_the_words_only(opened):
    model = opened("tiny_bert")
    units = model.units(model.encode(TEXT))
    assert units.shape == (1, 9, 1)
    assert units.flatten().tolist() == [-1, 0, 1, 2, 3, 4, 5, 6, -1]


def test_fold_sums_over_the_embedding(opened):
    model = opened("tiny_gpt2")
    batch = model.encode(TEXT)
    x = model.features(batch)
    folded = model.fold(x, batch)
    assert folded.dtype == np.float32
    np.testing.assert_allclose(folded, x[0].sum(-1), rtol=1e-5)


def test_context_carries_text_and_spans(opened):
    batch = opened("tiny_bert").encode(TEXT)
    context = opened("tiny_bert").context(batch)
    assert context["facts"] == {"text": TEXT, "special": [0, 8]}
    assert context["labels"]["token"] == batch.tokens
    assert context["arrays"]["span"].shape == (9, 2)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("", "the text is empty; type a sentence, or pick an example"),
        ("  \n ", "the text is empty"),
        (None, "reads text, and no text was given"),
        ({"image": "x.png"}, "reads text, and no text was given"),
        ("pain " * 49, "the text has 51 tokens; .* reads at most 48: shorten it by 3"),
        ("a" * 10000, "the text has 10000 characters; .* reads at most 48 tokens"),
    ],
)
def test_bad_text_is_a_sentence(opened, raw, message):
    with pytest.raises(Refused, match=message):
        opened("tiny_bert").encode(raw)


@pytest.mark.parametrize("kind", ["blur", "nonsense"])
def test_a_stand_in_that_is_not_there_is_a_sentence(opened, kind):
    model = opened("tiny_gpt2")
    batch = model.encode(TEXT)
    with pytest.raises(Refused, match=f"cannot replace words by '{kind}'; it can by: mean, pad, zero"):
        model.baseline(model.features(batch), batch, kind)


@pytest.fixture(scope="module")
def bytewise(tmp_path_factory):
    """A tiny GPT-2 whose tokens are bytes and what was often seen of them, as GPT-2's own are."""
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=280, initial_alphabet=alphabet, special_tokens=["<|end|>"])
    made.train_from_iterator(["the pain and the fever and the pain of the chest"] * 20, trainer)
    words = transformers.PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|end|>", model_max_length=48)
    size = made.get_vocab_size()
    config = transformers.GPT2Config(
        vocab_size=size + 3, n_positions=48, n_embd=16, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
    )
    folder = save(tmp_path_factory.mktemp("bytewise"), transformers.GPT2LMHeadModel, config, words)
    return backends.open_model(str(folder))


def ids_of(model, text):
    return model.processor(text, add_special_tokens=False)["input_ids"]


def test_exact_ids_are_not_split_anew(bytewise):
    apart = [*ids_of(bytewise, "the"), *ids_of(bytewise, " p"), *ids_of(bytewise, "ain")]
    assert ids_of(bytewise, "the pain") != apart  # it would be read as fewer tokens
    batch = bytewise.encode({"text": "the pain", "ids": apart})
    assert batch.inputs["input_ids"][0].tolist() == apart
    assert batch.inputs["attention_mask"].shape == (1, len(apart))
    assert (batch.text, "".join(batch.tokens)) == ("the pain", "the pain")
    assert [batch.text[a:b] for a, b in batch.spans.tolist()] == list(batch.tokens)
    assert batch.raw == {"text": "the pain", "ids": apart}


@pytest.mark.parametrize("text", ["the pain é of 日本 and 😀 the fever", "é", "naïve 😀😀"])
def test_every_beginning_of_a_text_is_spelled(bytewise, text):
    ids, cut = ids_of(bytewise, text), []
    for end in range(1, len(ids) + 1):
        batch = bytewise.encode({"text": "something else", "ids": ids[:end]})
        whole = batch.text.rstrip("\ufffd")
        assert text.startswith(whole)  # what a half character stands for is not known yet
        assert batch.inputs["input_ids"][0].tolist() == ids[:end]
        assert all(b > a for a, b in batch.spans.tolist())
        assert batch.spans[-1, 1] == len(batch.text)
        cut.append(batch.text.endswith("\ufffd"))
    assert any(cut)
    assert batch.text == text


def test_tokens_that_make_one_character_share_its_place(bytewise):
    batch = bytewise.encode({"ids": ids_of(bytewise, "a é")})
    assert batch.text == "a é"
    assert batch.tokens[-2:] == ("é", "é") or batch.spans[-1].tolist() == batch.spans[-2].tolist()


def test_a_row_of_half_characters_is_marked(bytewise):
    half = ids_of(bytewise, "é")[:1]
    batch = bytewise.encode({"ids": half * 6})
    assert set(batch.text) == {"\ufffd"}
    assert len(batch.tokens) == 6


def test_specials_have_no_place_and_tokens_without_a_name_have_a_number(bytewise):
    size = bytewise.module.config.vocab_size
    batch = bytewise.encode({"ids": [*ids_of(bytewise, "the"), 0, *ids_of(bytewise, " pain"), size - 1]})
    assert batch.text == "the pain"
    assert "<|end|>" in batch.tokens
    assert batch.tokens[-1] == f"[{size - 1}]"
    assert batch.special[batch.tokens.index("<|end|>")]


def test_ids_of_framed_texts_are_read_as_the_text_is(opened):
    model = opened("tiny_bert")
    batch = model.encode(TEXT)
    ids = batch.inputs["input_ids"][0].tolist()
    for raw in ({"text": TEXT, "ids": ids}, {"text": "the", "ids": ids}, {"ids": ids}):
        exact = model.encode(raw)
        assert exact.tokens == batch.tokens
        assert exact.special.tolist() == batch.special.tolist()
        torch.testing.assert_close(
            model.outputs(model.features(exact), exact), model.outputs(model.features(batch), batch)
        )
        assert set(exact.inputs) == set(batch.inputs)
    assert np.array_equal(model.encode({"text": TEXT, "ids": ids}).spans, batch.spans)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([], "the list of token ids is empty; give at least one"),
        ("3,4", "ids must be a list of whole numbers, the tokens' numbers in the vocabulary"),
        ([1.0], "ids must be a list of whole numbers"),
        ([True], "ids must be a list of whole numbers"),
        ([3, 999], "has no token 999; its tokens are 0 to 25"),
        ([-1], "has no token -1; its tokens are 0 to"),
        ([5] * 49, "the text has 49 tokens; .* reads at most 48: shorten it by 1"),
    ],
)
def test_bad_ids_are_a_sentence(opened, ids, message):
    with pytest.raises(Refused, match=message):
        opened("tiny_gpt2").encode({"text": TEXT, "ids": ids})
