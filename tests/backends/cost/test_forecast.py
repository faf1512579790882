from __future__ import annotations

import json

import pytest

import backends
from backends import catalog, registry
from backends.cost import forecast
from backends.errors import Refused
from backends.methods.base import Size
from tests.conftest import raw_for

NAMES = ("tiny_gpt2", "tiny_llama", "tiny_bert", "tiny_bert_mlm", "tiny_vit", "tiny_resnet")


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    """No test waits for a timing."""
    monkeypatch.setattr(forecast.Forecaster, "_time", lambda self: forecast.Speed(0.01, 1e-9, 1e-9, 2.0))


def llama(folder, **more):
    """A folder with the config of a Llama, 7B if nothing else is said, and no weights."""
    import transformers

    shape = {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "intermediate_size": 11008}
    config = transformers.LlamaConfig(**{**shape, "max_position_embeddings": 4096, **more})
    config.architectures = ["LlamaForCausalLM"]
    config.save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_a_7b_config_without_weights_gets_a_forecast(tmp_path) -> None:
    source = catalog.configured(f"{llama(tmp_path)}?dtype=bfloat16")
    found = forecast.forecast_source(source, "cpu")
    assert found["parameters"] == 6_738_415_616
    assert found["weights"]["bfloat16"] == pytest.approx(2 * 6_738_415_616, rel=1e-3)
    at = found["lengths"].index(1024)
    products = 2 * (6_738_415_616 - 32000 * 4096) * 1024  # the embedding is looked up; one position is unembedded
    attention = 4 * 32 * 4096 * 1024**2
    assert found["flops"][at] == pytest.approx(products + attention, rel=0.03)
    assert found["seconds"][at] > found["seconds"][0]
    json.dumps(found)


def test_the_same_for_a_smaller_shape(tmp_path) -> None:
    small = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}
    folder = llama(tmp_path, **small, vocab_size=100, max_position_embeddings=256)
    found = forecast.forecast_source(catalog.configured(str(folder)), "cpu")
    layer = 4 * 64 * 64 + 3 * 64 * 96
    assert found["parameters"] == 2 * (layer + 2 * 64) + 64 + 2 * 100 * 64
    assert found["lengths"] == [16, 64, 128, 256]
    expected = 2 * 2 * layer * 128 + 4 * 2 * 64 * 128**2 + 2 * 64 * 100
    assert found["flops"][2] == pytest.approx(expected, rel=0.02)
    assert not found["measured"]
    assert found["fits"]["float32"]
    with pytest.raises(Refused, match="has no weights"):
        catalog.resolve(str(folder))


def test_a_config_of_no_known_kind_is_a_sentence(tmp_path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["WhisperForConditionalGeneration2"]}))
    with pytest.raises(Refused, match="which no family of Vitrine opens"):
        forecast.forecast_source(catalog.configured(str(tmp_path)), "cpu")
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["GPT2LMHeadModel"], "model_type": "nothing"}))
    with pytest.raises(Refused, match="no network can be made of its config"):
        forecast.forecast_source(catalog.configured(str(tmp_path)), "cpu")


@pytest.mark.parametrize("method", registry.entries("methods"))
@pytest.mark.parametrize("name", NAMES)
def test_every_method_has_a_forecast_on_every_model(opened, picture, name, method) -> None:
    model, entry = opened(name), registry.method(method)
    if not entry.needs <= model.offers:
        pytest.skip("not offered")
    found = forecast.forecast_run(model, model.encode(raw_for(name, picture)), method, {})
    assert 0 < found["seconds"] <= found["most_seconds"] < 1000
    assert 0 < found["bytes"] < 2**30
    assert found["device"] == "cpu"


@pytest.mark.parametrize(
    ("method", "options"),
    [("integrated_gradients", {"steps": 9}), ("saliency", {"smooth": 3}), ("feature_ablation", {}), ("occlusion", {}),
     ("kernel_shap", {"samples": 33}), ("lime", {"samples": 31}), ("shapley_sampling", {"orders": 3}),
     ("gradient_shap", {"samples": 12})],
)  # fmt: skip
@pytest.mark.parametrize("name", ["tiny_bert", "tiny_resnet"])
def test_the_forecast_counts_what_the_run_will_count(opened, picture, name, method, options) -> None:
    model, raw = opened(name), raw_for(name, picture)
    said = forecast.forecast_run(model, model.encode(raw), method, options)
    done = backends.run(model, method, raw, **options).facts
    assert said["gradients"] == done["gradients"]
    assert said["forwards"] == pytest.approx(done["forwards"] + 2, abs=3)


def test_longer_inputs_and_more_steps_are_forecast_to_take_more(opened) -> None:
    model = opened("tiny_llama")
    short, long = (model.encode("no fever but severe chest pain " * n) for n in (1, 6))
    runs = [
        forecast.forecast_run(model, b, "integrated_gradients", {"steps": n})
        for b, n in ((short, 8), (long, 8), (long, 80))
    ]
    assert [r["seconds"] for r in runs] == sorted(r["seconds"] for r in runs)
    assert runs[0]["bytes"] < runs[1]["bytes"]


def test_attention_counts_with_the_square_of_the_length(opened) -> None:
    model = opened("tiny_gpt2")
    found = forecast.find_forecaster(model)
    counts = [found.trace(forecast._lengthen(model.encode(model.sample), n, model)).attention for n in (8, 16, 32)]
    assert counts[2] == 4 * counts[1] == 16 * counts[0] == 4 * 3 * 16 * 32**2


def model_words() -> int:
    from tests.conftest import WORDS

    return len(WORDS) + 5


def test_sizes_say_what_a_model_is(opened, picture) -> None:
    method = registry.method("kernel_shap").build({"square": 16})
    vit = opened("tiny_vit")
    assert forecast.measure_size(vit, vit.encode({"image": picture}), method, 4) == Size(
        tokens=17, parts=4, numbers=3 * 32 * 32, side=32, batch=4, layers=2, heads=2, width=16, outputs=2
    )
    gpt = opened("tiny_gpt2")
    found = forecast.measure_size(gpt, gpt.encode("no fever but pain"), method, 1)
    assert (found.tokens, found.parts, found.width, found.layers, found.outputs) == (4, 4, 16, 3, model_words())


def test_a_comparison_with_captions_is_timed_at_their_own_length(tmp_path) -> None:
    from tests import families

    model = backends.open_model(str(families.make("CLIP", tmp_path / "clip")))
    batch = model.encode(model.sample)
    assert forecast._lengthen(batch, 256, model) is batch  # a caption has at most 16 tokens here
    assert forecast.forecast_model(model)["lengths"] == [0]
