"""A continuation is what the network itself would say, step by step, and each step is an input that can be stood on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import backends
from backends.errors import Cancelled, Refused
from backends.methods import generation
from benchmarks.families import endless, stepwise
from tests import families

PROMPT = "no fever but severe chest pain ."


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Opens the tiny network of a family, once."""
    there: dict[str, Any] = {}

    def get(name: str) -> Any:
        if name not in there:
            there[name] = backends.open_model(str(families.make(name, tmp_path_factory.mktemp("family"))))
        return there[name]

    return get


@pytest.mark.parametrize("name", ["Llama", "Mistral", "Gemma 3", "GPT-NeoX"])  # others: tests/backends/test_families.py
def test_steps_with_a_cache_are_the_rows_of_a_full_forward(family: Any, name: str) -> None:
    logits, rows = stepwise(family(name), families.raw(name), "")
    assert 0 < logits < 1e-5
    assert 0 < rows < 1e-5


@pytest.mark.parametrize("name", ["GPT-2", "T5"])
def test_greedy_is_what_transformers_itself_generates(family: Any, name: str) -> None:
    model = family(name)
    batch = model.begin(PROMPT)
    known = ("input_ids", "attention_mask")
    with torch.no_grad():
        own = model.module.generate(
            **{n: batch.inputs[n] for n in known}, max_new_tokens=8, do_sample=False, num_beams=1, pad_token_id=0
        )
    start = batch.inputs[model.written.argument].shape[1]
    said = backends.generate(model, PROMPT, tokens=8)
    whole = said["ids"] + ([said["end"]["id"]] if said["end"] else [])
    assert whole == own[0, start:].tolist()
    assert backends.generate(model, PROMPT, tokens=8, cached=False)["ids"] == said["ids"]


def test_each_token_comes_with_its_probability_and_what_else_could_have_been(family: Any) -> None:
    model = family("GPT-2")
    said = endless(model, PROMPT, tokens=5, temperature=2.0, seed=4)
    assert said["prompt"]["text"] == PROMPT
    shown = [said["text"][a:b] or "[PAD]" for a, b in said["spans"]]  # special tokens are no part of the text
    assert shown == said["tokens"]
    for step, raw in enumerate(said["inputs"][:-1]):
        choices = model.predict(model.encode(raw), 100)
        mine = next(c for c in choices if c.index == said["ids"][step])
        assert said["probability"][step] == pytest.approx(mine.probability, rel=1e-4)
        assert said["log_probability"][step] == pytest.approx(torch.tensor(mine.probability).log().item(), abs=1e-4)
        assert [a["id"] for a in said["alternatives"][step]] == [c.index for c in choices[:5]]
        entropy = -sum(c.probability * torch.tensor(c.probability).log().item() for c in choices)
        assert said["entropy"][step] == pytest.approx(entropy, abs=1e-3)
    assert said["inputs"][2]["ids"] == [*said["prompt"]["ids"], *said["ids"][:2]]


def test_a_seed_draws_the_same_tokens_and_another_seed_others(family: Any) -> None:
    model = family("GPT-2")
    one, again, other = (endless(model, PROMPT, tokens=8, temperature=3.0, seed=s)["ids"] for s in (1, 1, 2))
    assert one == again != other
    assert endless(model, PROMPT, tokens=8, temperature=1e-3)["ids"] == endless(model, PROMPT, tokens=8)["ids"]
    assert endless(model, PROMPT, tokens=8, temperature=50.0, top_k=1)["ids"] == endless(model, PROMPT, tokens=8)["ids"]


def test_draws_have_the_probabilities_that_temperature_and_truncation_leave() -> None:
    logits = torch.tensor([2.0, 0.0, 1.0, -1.0])
    generator = torch.Generator().manual_seed(0)

    def share(**options: Any) -> list[float]:
        drawn = [generation.Generation(**options).choose(logits, generator) for _ in range(1500)]
        return [drawn.count(i) / len(drawn) for i in range(4)]

    for options, kept in (
        ({"temperature": 1.0}, logits),
        ({"temperature": 2.0}, logits / 2),
        ({"temperature": 1.0, "top_k": 2}, logits.where(logits > 0.5, -torch.inf)),
        ({"temperature": 1.0, "top_p": 0.7}, logits.where(logits > 0.5, -torch.inf)),  # 0.64 and 0.24
        ({"temperature": 1.0, "top_p": 0.6}, logits.where(logits > 1.5, -torch.inf)),
    ):
        assert share(**options) == pytest.approx(kept.softmax(-1).tolist(), abs=0.05)
    assert generation.Generation().choose(logits, generator) == 0


def test_it_stops_where_the_model_ends_the_text(family: Any) -> None:
    model = family("GPT-2")
    free = endless(model, PROMPT, tokens=6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model), "ends", (free["ids"][3],))
        said = backends.generate(model, PROMPT, tokens=6)
    stop = free["ids"].index(free["ids"][3])
    assert said["ids"] == free["ids"][:stop]
    assert (said["stopped"], said["end"]["id"]) == ("end", free["ids"][3])
    assert said["sentence"] == "The model ended the text here."
    assert len(said["inputs"]) == stop + 1


@pytest.mark.parametrize("name", ["GPT-2", "BART"])
def test_it_stops_at_the_longest_text_that_the_model_takes(family: Any, name: str) -> None:
    model = family(name)
    raw = {"text": PROMPT, "output": "pain " * 45} if name == "BART" else "pain " * 46
    said = endless(model, raw, tokens=5)
    assert said["stopped"] == "limit"
    assert len(said["ids"]) == 2
    assert "takes no longer text" in said["sentence"]
    with pytest.raises(Refused, match=r"the (text|output so far) has 48 tokens and .* takes at most 48: shorten it"):
        backends.generate(model, said["inputs"][-1], tokens=1)
    assert backends.prediction(model, model.encode(said["inputs"][-1]))


def test_every_page_stands_on_every_step(family: Any) -> None:
    for name in ("GPT-2", "T5"):
        model = family(name)
        said = endless(model, PROMPT, tokens=3)
        whole = backends.run(model, "attention", said["inputs"][3], part=model.answers).arrays["pattern"]
        for step, raw in enumerate(said["inputs"]):
            result = backends.run(model, "attention", raw, part=model.answers)
            size = result.arrays["pattern"].shape[-1]
            assert size == whole.shape[-1] - 3 + step
            assert abs(result.arrays["pattern"] - whole[..., :size, :size]).max() < 1e-6
            assert backends.run(model, "logit_lens", raw).facts["prediction"]
            assert backends.run(model, "saliency", raw, target=0).arrays["attribution"].size


def test_progress_comes_before_each_token_and_a_cancelled_continuation_stops(family: Any) -> None:
    model, seen = family("GPT-2"), []

    def step(fraction: float) -> None:
        seen.append(fraction)
        if len(seen) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        endless(model, PROMPT, tokens=8, step=step)
    assert seen == [0.0, 1 / 8, 2 / 8]
    assert backends.generate(model, PROMPT, tokens=1)["text"].startswith(PROMPT)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"tokens": 0}, "tokens must be a whole number from 1 to 256, not '0'"),
        ({"tokens": 1000}, "tokens must be a whole number from 1 to 256, not '1000'"),
        ({"tokens": "many"}, "tokens must be a whole number from 1 to 256, not 'many'"),
        ({"temperature": 0}, "temperature must be above 0 and at most 100, not 0: it divides the logits; leave it out"),
        ({"temperature": -1}, "temperature must be above 0 and at most 100, not -1"),
        ({"temperature": "hot"}, "temperature must be a number, not 'hot'"),
        ({"top_p": 0}, "top_p must be above 0, not 0: no token would be left"),
        ({"top_p": 2}, "top_p must be a number from 0 to 1, not '2'"),
        ({"top_k": -1}, "top_k must be a whole number from 0"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"beams": 4}, "Continue has no option 'beams'; its options are: tokens, temperature, top_k, top_p, seed"),
    ],
)
def test_a_bad_option_is_a_sentence(family: Any, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        backends.generate(family("GPT-2"), PROMPT, **options)


def test_a_model_that_answers_otherwise_does_not_continue(opened: Any) -> None:
    with pytest.raises(Refused, match="does not continue texts: it is a text-classification model"):
        backends.generate(opened("tiny_bert"), PROMPT)
