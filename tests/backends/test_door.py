"""The door of scripts and notebooks, as the README shows it."""

from __future__ import annotations

import numpy as np
import pytest

import backends
from backends.errors import Cancelled, Refused
from backends.results import Result


def test_models_and_methods_are_named() -> None:
    assert "bundled/triage" in backends.models()
    assert "integrated_gradients" in backends.methods()


def test_methods_of_a_model_are_those_whose_needs_it_meets(opened) -> None:
    cnn, transformer = backends.methods(opened("tiny_resnet")), backends.methods(opened("tiny_gpt2"))
    assert "attention" not in cnn
    assert "occlusion" in cnn
    assert {"attention", "logit_lens"} <= set(transformer)


def test_run_answers_with_the_request_and_the_prediction(opened, tmp_path) -> None:
    model = opened("tiny_bert")
    result = backends.run(model, "integrated_gradients", "no fever but severe chest pain", target="urgent", steps=8)
    assert result.arrays["attribution"].dtype == np.float32
    assert result.unit == "logit"
    assert result.signed
    assert result.target == "urgent"
    assert result.request["options"]["steps"] == 8
    assert result.request["method"] == "integrated_gradients"
    assert abs(sum(c["probability"] for c in result.facts["prediction"]) - 1) < 1e-5
    result.save(tmp_path)
    assert Result.load(tmp_path).facts == result.facts


@pytest.mark.parametrize(
    ("method", "raw", "more", "sentence"),
    [
        ("telepathy", "no fever", {}, "no method 'telepathy'; there are"),
        ("logit_lens", "no fever", {}, "needs .*, which .* does not give.*; it offers: "),
        ("saliency", "", {}, "the text is empty"),
        ("saliency", None, {}, "reads text, and no text was given"),
        ("saliency", "no fever " * 60, {}, r"tokens; .* reads at most 48: shorten it by"),
        ("saliency", "no fever", {"target": "cheerful"}, "has no class 'cheerful'; its classes are: routine"),
        ("saliency", "no fever", {"target": ["soon", "soon"]}, "the two sides of the target are the same"),
        ("saliency", "no fever", {"target": ["a", "b", "c"]}, "a contrastive target is a pair"),
        ("saliency", "no fever", {"target": {"sequence": "x"}}, "does not generate text"),
        ("integrated_gradients", "no fever", {"steps": 10**9}, "steps must be a whole number from"),
        ("integrated_gradients", "no fever", {"stepz": 3}, "has no option 'stepz'; its options are"),
        ("integrated_gradients", "no fever", {"steps": "many"}, "steps must be a whole number"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(opened, method, raw, more, sentence) -> None:
    with pytest.raises(Refused, match=sentence):
        backends.run(opened("tiny_bert"), method, raw, **more)


def test_a_cancelled_run_stops_and_leaves_the_model_usable(opened) -> None:
    model = opened("tiny_bert")

    def step(fraction: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        backends.run(model, "occlusion", "no fever but severe chest pain", step=step)
    assert backends.run(model, "saliency", "no fever").arrays["attribution"].shape


def test_models_of_no_known_kind_are_refused(tmp_path) -> None:
    (tmp_path / "config.json").write_text('{"architectures": ["Wav2Vec2ForCTC"], "model_type": "wav2vec2"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(Refused, match=r"is a Wav2Vec2ForCTC; Vitrine opens: causal-lm, .*image-classification"):
        backends.open_model(str(tmp_path))
    (tmp_path / "config.json").write_text("not json")
    with pytest.raises(Refused, match=r"'config\.json' cannot be read as JSON"):
        backends.open_model(str(tmp_path))


def test_damaged_weights_are_a_sentence(tiny_bert, tmp_path) -> None:
    for file in tiny_bert.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"\x00" * 64)
    with pytest.raises(Refused, match="cannot be opened as AutoModelForSequenceClassification"):
        backends.open_model(str(tmp_path))


def test_a_folder_without_its_tokenizer_says_so(tiny_bert, tmp_path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((tiny_bert / name).read_bytes())
    with pytest.raises(Refused, match="has no tokenizer that opens"):
        backends.open_model(str(tmp_path))
